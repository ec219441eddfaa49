"""Dead letters for people: what lies there and why, and the way back. Behind `payload-worker dlq`."""
