"""The rooms an event passes between Kafka and its batch; pure, in the order decode, validate, resolve, normalise."""
