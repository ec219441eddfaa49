"""For scoring services in Python: hands payload events to Kafka, checked before, and says what was not delivered.

    with PayloadProducer("broker:9092", topic="payload-events") as producer:
        scoring_id = producer.send(asset="loans", request=request, response=response)

Imported by services, so it is light: neither settings nor an HTTP client come with it.
"""

from worker.model import Body, Table
from worker.producer.encoding import Encoding
from worker.producer.errors import (
    InvalidEventError,
    NotDeliveredError,
    NotSentError,
    ProducerError,
    QueueFullError,
    UnreachableError,
)
from worker.producer.sending import PayloadProducer

__all__ = [
    "Body",
    "Encoding",
    "InvalidEventError",
    "NotDeliveredError",
    "NotSentError",
    "PayloadProducer",
    "ProducerError",
    "QueueFullError",
    "Table",
    "UnreachableError",
]
