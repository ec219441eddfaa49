"""A network that can be made bad: a TCP proxy on loopback, in this process, whose weather changes while it runs.

What it does to a connection is real to both ends: a reset is a TCP reset, a refused connection finds nobody
listening, and a half-open one stays open and says nothing more, whatever the weather is afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Coroutine

HOST: Final = "127.0.0.1"
CHUNK: Final = 64 * 1024
LINE: Final = 16
"""Chunks that may be under way in one direction of one connection."""
PIECES: Final = 20
"""Parts of a second's bytes that pass at once where the bandwidth is bounded."""
COMMAND_SECONDS: Final = 10
_NO_LINGER: Final = struct.pack("ii", 1, 0)  # with this a close sends RST and not FIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What happens to what passes.

    `latency`: seconds by which each byte of an answer is late. `resets`: the share of requests (what is sent after
    something was answered) whose connection is reset, half of them before they pass, half as their answer comes.
    `bandwidth`: bytes a second, in each direction of each connection. `silent`: nothing passes, and nobody is told;
    a connection that lost a byte so never speaks again. `refuse`: nobody listens, and what was open is reset.
    """

    latency: float = 0.0
    resets: float = 0.0
    bandwidth: int | None = None
    silent: bool = False
    refuse: bool = False


CLEAR: Final = Weather()
_Line = asyncio.Queue[tuple[float, bytes]]


class Proxy:
    """Passes TCP on to `target` (`host:port`), from `address`; a context manager, in clear weather at first.

    `resets` and `muted` count connections that were reset, and that fell silent; so a test can tell that the weather
    was bad indeed.
    """

    def __init__(self, target: str, *, seed: int | str, port: int = 0) -> None:
        host, _, target_port = target.rpartition(":")
        self.target = (host, int(target_port))
        self.rng = random.Random(seed)  # noqa: S311 - a share of faults, no secret
        self.weather = CLEAR
        self.connections: set[_Connection] = set()
        self.resets = 0
        self.muted = 0
        self._port = port
        self._listener: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    @property
    def address(self) -> str:
        """`host:port`; the port is known once it has been started."""
        return f"{HOST}:{self._port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(COMMAND_SECONDS)
        self._loop.close()

    def become(self, weather: Weather) -> None:
        """Change the weather, for open connections too; returns when it has changed."""
        self._do(self._become(weather))

    def _do(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(COMMAND_SECONDS)

    async def _become(self, weather: Weather) -> None:
        self.weather = weather
        if weather.refuse:
            await self._deafen()
            self._reset_all()
        else:
            await self._listen()

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = await asyncio.start_server(self._serve, HOST, self._port, limit=CHUNK)
            self._port = self._listener.sockets[0].getsockname()[1]

    async def _deafen(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()  # no wait: that would be for the connections to end

    def _reset_all(self) -> None:
        for each in tuple(self.connections):
            each.reset()

    async def _close(self) -> None:
        await self._deafen()
        self._reset_all()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(self, reader, writer)
        self.connections.add(connection)
        try:
            await connection.run()
        except* (OSError, asyncio.CancelledError):
            pass  # ends, of all kinds, are what this is about
        finally:
            connection.abort()
            self.connections.discard(connection)


class _Connection:
    """One connection of a client, and the one to the target that it has for it."""

    def __init__(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._reader = reader
        self._writers = [writer]
        self._mute = False
        self._asking = False  # whether the last byte that passed was the client's
        self._doomed = False

    async def run(self) -> None:
        """Pass on what comes until both ends are done; raises `OSError` where one of them broke."""
        self._fall_silent()
        reader, writer = await asyncio.open_connection(*self._proxy.target, limit=CHUNK)
        self._writers.append(writer)
        async with asyncio.TaskGroup() as both:
            for source, sink, answering in ((self._reader, writer, False), (reader, self._writers[0], True)):
                line: _Line = asyncio.Queue(LINE)
                both.create_task(self._take(source, line, answering=answering))
                both.create_task(self._give(line, sink))

    def reset(self) -> None:
        """TCP reset, to both ends."""
        self._proxy.resets += 1
        for writer in self._writers:
            with contextlib.suppress(OSError):  # it may be gone already
                found: socket.socket = writer.get_extra_info("socket")
                found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.abort()

    def abort(self) -> None:
        """Close both ends at once, without sending what is left."""
        for writer in self._writers:
            writer.transport.abort()

    async def _take(self, reader: asyncio.StreamReader, line: _Line, *, answering: bool) -> None:
        """Put what comes on the line, with the time at which it is due at the other end; no bytes are the end."""
        data = b"-"
        while data:
            bandwidth = self._proxy.weather.bandwidth
            data = await reader.read(max(1, bandwidth // PIECES) if bandwidth else CHUNK)
            if self._fall_silent():
                await self._swallow(data, answering=answering)
                continue
            if data and self._meets_reset(answering=answering):
                self.reset()
                raise ConnectionResetError
            late = self._proxy.weather.latency if answering else 0
            await line.put((asyncio.get_running_loop().time() + late, data))

    async def _give(self, line: _Line, writer: asyncio.StreamWriter) -> None:
        while True:
            due, data = await line.get()
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            if self._fall_silent():
                continue
            if not data:
                writer.write_eof()
                return
            bandwidth = self._proxy.weather.bandwidth
            if bandwidth:
                await asyncio.sleep(len(data) / bandwidth)
            writer.write(data)
            await writer.drain()

    async def _swallow(self, data: bytes, *, answering: bool) -> None:
        """Half-open: a client that leaves is let go; that the target has left is not told to the client."""
        if data:
            return
        if not answering:
            raise ConnectionAbortedError
        await asyncio.Event().wait()

    def _fall_silent(self) -> bool:
        if self._proxy.weather.silent and not self._mute:
            self._mute = True
            self._proxy.muted += 1
        return self._mute

    def _meets_reset(self, *, answering: bool) -> bool:
        """Whether the connection is to be reset now: each request is drawn for once, and then when it comes to it."""
        asks = not answering and not self._asking
        self._asking = not answering
        rng, share = self._proxy.rng, self._proxy.weather.resets
        if asks and rng.random() < share:
            self._doomed = True
            return rng.random() < 0.5  # noqa: PLR2004 - half of them
        return self._doomed and answering
