"""Kafka ingestion worker for IBM AI OpenScale payload logging."""

__version__ = "0.1.0"
