"""aiokafka: one task reads and decodes, posts are tasks of their own, by aiohttp on uvloop.

aiohttp rather than httpx, whose asynchronous client takes several times its CPU; uvloop, as its users do. `getmany`
gives at most what one fetch brought, so batches are filled over several; the fetch is larger than its default of 1 MiB
a partition. Offsets are committed explicitly, as its documents do it for at-least-once.
"""

# mypy: disable-error-code="import-not-found"
from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from typing import Any, Final

import aiohttp
import uvloop
from aiokafka import AIOKafkaConsumer

from bench.peers.work import BATCH, COMMIT_SECONDS, IN_FLIGHT, TIMEOUT, Work, encode

FETCH_BYTES: Final = 4 * 1024 * 1024
POLL_MS: Final = 50
LINGER_SECONDS: Final = 0.1

Ends = dict[Any, int]
"""Of a batch, the offset after its last event, by partition."""


class Peer:
    """Reads, and keeps the posts that are open in the order of their events."""

    def __init__(self, work: Work, consumer: Any, session: aiohttp.ClientSession) -> None:
        self._work = work
        self._consumer = consumer
        self._session = session
        self._open: deque[tuple[asyncio.Task[None], Ends]] = deque()
        self._stored: Ends = {}
        self._due = time.monotonic() + COMMIT_SECONDS

    async def run(self) -> None:
        """Until the process is ended."""
        while True:
            records, ends = await self._batch()
            await self._collect(leave=IN_FLIGHT - 1)
            if records:
                self._open.append((asyncio.create_task(self._post(encode(records))), ends))
                await asyncio.sleep(0)  # so that the post begins before the next batch is decoded
            if self._stored and time.monotonic() >= self._due:
                await self._consumer.commit(self._stored)
                self._stored, self._due = {}, time.monotonic() + COMMIT_SECONDS

    async def _batch(self) -> tuple[list[dict[str, Any]], Ends]:
        records: list[dict[str, Any]] = []
        ends: Ends = {}
        late = time.monotonic() + LINGER_SECONDS
        while len(records) < BATCH and time.monotonic() < late:
            found = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH - len(records))
            for place, messages in found.items():
                records += [self._work.record(m.value, m.topic, m.partition, m.offset, m.timestamp) for m in messages]
                ends[place] = messages[-1].offset + 1
        return records, ends

    async def _post(self, body: bytes) -> None:
        async with self._session.post(self._work.payloads, data=body, headers=self._work.headers) as answer:
            answer.raise_for_status()
            await answer.read()

    async def _collect(self, leave: int) -> None:
        """Wait until at most `leave` posts are open; note what was stored, as far as all before it was."""
        while self._open and (len(self._open) > leave or self._open[0][0].done()):
            task, ends = self._open.popleft()
            await task
            self._stored |= ends


async def main(bootstrap: str, topic: str, group: str, url: str, schema: str) -> None:
    """Post the topic's events until the process is ended."""
    work = Work(url, schema)
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    async with consumer, aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(TIMEOUT)) as session:
        await Peer(work, consumer, session).run()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
