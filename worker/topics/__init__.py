"""What lies in topics, looked at from outside of the consumer group: by time or by offset, bounded, without commits."""
