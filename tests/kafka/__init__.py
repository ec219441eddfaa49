"""Brokers for the tests: real Apache Kafka, started here or elsewhere; an embedded one where there is none.

`install` finds Java and fetches Kafka, `broker` runs it, `python -m tests.kafka` runs one in the foreground.
"""
