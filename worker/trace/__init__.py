"""`payload-worker trace`: the life of one event, from its place in Kafka to its rows in the data mart."""
