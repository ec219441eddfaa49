"""Reliability scenarios: real Kafka, a data mart that goes wrong, real workers; and the books that must balance."""
