"""Records that this language's client cannot write, but any other's can: header names that are not UTF-8.

Written with the librdkafka that the client ships, by its C interface (`rd_kafka_producev`).
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import confluent_kafka

PRODUCER, TOPIC, PARTITION, VALUE, MSGFLAGS, HEADERS, END, COPY = 0, 1, 3, 4, 7, 10, 0, 2


def shipped_library() -> Path | None:
    """Where the client keeps its librdkafka; None where it uses the system's."""
    beside = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    return next(iter(sorted(beside.glob("librdkafka*"))), None)


def produce(library: Path, bootstrap: str, topic: str, value: bytes, header: bytes) -> None:
    """Write one record to partition 0, with a header of that name."""
    kafka = ctypes.CDLL(str(library))
    for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_headers_new"):
        getattr(kafka, name).restype = ctypes.c_void_p
    error = ctypes.create_string_buffer(512)
    conf = ctypes.c_void_p(kafka.rd_kafka_conf_new())
    kafka.rd_kafka_conf_set(conf, b"bootstrap.servers", bootstrap.encode(), error, len(error))
    producer = ctypes.c_void_p(kafka.rd_kafka_new(PRODUCER, conf, error, ctypes.c_size_t(len(error))))
    headers = ctypes.c_void_p(kafka.rd_kafka_headers_new(ctypes.c_size_t(1)))
    kafka.rd_kafka_header_add(headers, header, ctypes.c_ssize_t(len(header)), b"v", ctypes.c_ssize_t(1))
    failed = kafka.rd_kafka_producev(
        producer,
        *(ctypes.c_int(TOPIC), ctypes.c_char_p(topic.encode())),
        *(ctypes.c_int(PARTITION), ctypes.c_int32(0)),
        *(ctypes.c_int(VALUE), ctypes.c_char_p(value), ctypes.c_size_t(len(value))),
        *(ctypes.c_int(MSGFLAGS), ctypes.c_int(COPY)),
        *(ctypes.c_int(HEADERS), headers),
        ctypes.c_int(END),
    )
    assert failed == 0
    assert kafka.rd_kafka_flush(producer, 10_000) == 0
    kafka.rd_kafka_destroy(producer)
