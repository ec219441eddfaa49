"""A run of the fuzz: every message once, the slow ones again; counts, and what was wrong, by the message's number."""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from tests.fuzz.judge import Found, expected, judge
from tests.fuzz.messages import Message, messages

SLOW: Final = 0.1
"""Seconds of CPU time that no message may take, unless it is large."""
LARGE: Final = 100_000
"""Bytes, once inflated, above which a message is large."""
A_BYTE: Final = 3e-6
"""Seconds that each byte of a large one may take, once inflated: the time must stay in proportion."""
MEMORY: Final = 1 << 30
"""Bytes of address space that all of it has to do with."""
AGAIN: Final = 3
"""How often a slow message is tried again: the least counts, for the garbage collector's time is not the message's."""
EVERY: Final = 500_000
"""Messages between two words of progress."""
TOLD: Final = 20
"""Differences after which it ends."""

Progress = Callable[[int, int, float], None]
Slowest = tuple[int, float, int]


@dataclass(slots=True)
class Result:
    """`slowest`: a message's number, seconds and bytes inflated; the same of those below 100 KB; `peak` in bytes.

    `suspects` took too long once, `slow` each time.
    """

    tried: int = 0
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: Slowest = (0, 0.0, 0)
    slowest_small: Slowest = (0, 0.0, 0)
    suspects: int = 0
    slow: int = 0
    peak: int = 0
    wrong: list[str] = field(default_factory=list)


def run(
    seed: int, number: int, progress: Progress, judged: Callable[[Message], Found] = judge, *, start: int = 0
) -> Result:
    """Try so many messages of a seed, fewer where too much is wrong, or where it is interrupted."""
    result, began = Result(), time.monotonic()
    with suppress(KeyboardInterrupt):
        _try(result, (seed, start, number), progress, judged)
    result.seconds = time.monotonic() - began
    result.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    result.wrong = [f"seed {seed}, message {each}" for each in result.wrong]
    return result


def _try(result: Result, which: tuple[int, int, int], progress: Progress, judged: Callable[[Message], Found]) -> None:
    began = time.monotonic()
    for at, message in zip(count(which[1]), messages(*which), strict=False):
        try:
            found = judged(message)
        except Exception as error:  # noqa: BLE001 - a crash is what is looked for
            found = Found("crash", f"{type(error).__name__}: {error}"[:200], 0.0)
        _note(result, at, message, found, judged)
        if result.tried % EVERY == 0:
            progress(result.tried, len(result.wrong), time.monotonic() - began)
        if len(result.wrong) >= TOLD:
            break


def _note(result: Result, at: int, message: Message, found: Found, judged: Callable[[Message], Found]) -> None:
    result.tried += 1
    result.outcomes[found.outcome] += 1
    if found.wrong is not None:
        result.wrong.append(f"{at}: {found.wrong}")
    large = found.size > LARGE
    allowed = A_BYTE * found.size if large else SLOW
    so_far = result.slowest if large else result.slowest_small
    if found.seconds <= min(so_far[1], allowed):
        return
    seconds = min(found.seconds, *(judged(message).seconds for _ in range(AGAIN)))
    if seconds > so_far[1]:
        slowest = at, seconds, found.size
        result.slowest, result.slowest_small = (slowest, result.slowest_small) if large else (result.slowest, slowest)
    result.suspects += found.seconds > allowed
    if seconds > allowed:
        result.slow += 1
        result.wrong.append(f"{at}: {1000 * seconds:.0f} ms of CPU time")


def show(seed: int, number: int) -> str:
    """One message, what became of it, and what a plain decoder reads."""
    (message,) = messages(seed, number, 1)
    found = judge(message)
    told = f"topic {message.topic}\nheaders {message.headers}\nvalue {message.value[:4000].hex()}\n"
    told += f"{found.outcome}; wrong: {found.wrong}; {1000 * found.seconds:.2f} ms\nplainly: {expected(message)}\n"
    return told
