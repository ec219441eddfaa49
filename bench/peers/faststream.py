"""FastStream: a batch subscriber of its Confluent broker, acknowledged after its handler returned.

It refuses `max_workers` where offsets are committed after the work, and ignores it for batches; so a read takes as many
events as four posts hold, and the handler posts each of them while it decodes the next, by aiohttp on uvloop. The
decoder is replaced, and `apply_types` off, as its documents say for speed: by default each message is parsed once more.
"""

# mypy: disable-error-code="import-not-found,misc,untyped-decorator"
from __future__ import annotations

import asyncio
import sys
from typing import Any, Final

import aiohttp
import uvloop
from faststream import AckPolicy, FastStream
from faststream.confluent import KafkaBroker

from bench.peers.work import BATCH, CONSUMER, TIMEOUT, Work, encode

READ: Final = 4 * BATCH
POLL_SECONDS: Final = 0.1


async def _as_it_is(message: Any) -> Any:
    """The messages of Kafka rather than their values: ids are derived from their places."""
    return message.raw_message


class Peer:
    """Posts what the subscriber hands over."""

    def __init__(self, work: Work, session: aiohttp.ClientSession) -> None:
        self._work = work
        self._session = session

    async def store(self, messages: tuple[Any, ...]) -> None:
        """Post all; where one post fails this raises, and nothing of them is acknowledged."""
        async with asyncio.TaskGroup() as posts:
            for start in range(0, len(messages), BATCH):
                posts.create_task(self._post(self._encode(messages[start : start + BATCH])))
                await asyncio.sleep(0)  # so that a post begins before the next one is encoded

    def _encode(self, messages: tuple[Any, ...]) -> bytes:
        record = self._work.record
        return encode([record(m.value(), m.topic(), m.partition(), m.offset(), m.timestamp()[1]) for m in messages])

    async def _post(self, body: bytes) -> None:
        async with self._session.post(self._work.payloads, data=body, headers=self._work.headers) as answer:
            answer.raise_for_status()
            await answer.read()


async def main(bootstrap: str, topic: str, group: str, url: str, schema: str) -> None:
    """Post the topic's events until the process is ended."""
    broker = KafkaBroker(bootstrap, apply_types=False, logger=None, config=CONSUMER, allow_auto_create_topics=False)
    work = Work(url, schema)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(TIMEOUT)) as session:
        subscriber = broker.subscriber(
            topic,
            group_id=group,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.NACK_ON_ERROR,
            batch=True,
            max_records=READ,
            polling_interval=POLL_SECONDS,
            decoder=_as_it_is,
        )
        subscriber(Peer(work, session).store)
        await FastStream(broker, logger=None).run()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
