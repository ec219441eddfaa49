"""Where the worker meets the world: Kafka in, HTTP out, the dead-letter topic, schemas, the directory."""
