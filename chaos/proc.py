"""What a process uses, read from Linux's `/proc`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Usage:
    """`rss` in bytes; open files, and threads."""

    rss: int
    files: int
    threads: int


def usage(pid: int) -> Usage:
    """Of a process that runs; `OSError` where there is none."""
    home = Path("/proc") / str(pid)
    status = dict(line.split(":", 1) for line in (home / "status").read_text().splitlines() if ":" in line)
    return Usage(
        rss=int(status["VmRSS"].split()[0]) * 1024,
        files=sum(1 for _ in (home / "fd").iterdir()),
        threads=int(status["Threads"]),
    )
