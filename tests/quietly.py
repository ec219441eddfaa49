"""Runs a program that builds or fetches something for tests: quiet, unless it fails."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

TAIL: Final = 4000


class FailedError(RuntimeError):
    """The program did not end well; the message says how, with the end of what it wrote."""


def quietly(
    command: Sequence[str], *, seconds: float, place: Path | None = None, environment: Mapping[str, str] | None = None
) -> None:
    """Run `command`, for at most so many seconds; raises `FailedError`."""
    try:
        subprocess.run(
            command,
            cwd=place,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=True,
            timeout=seconds,
            text=True,
        )
    except subprocess.CalledProcessError as failed:
        raise FailedError(f"it ended with {failed.returncode}:\n{failed.stdout[-TAIL:]}") from failed
    except subprocess.TimeoutExpired as slow:
        raise FailedError(f"it did not end in {seconds:.0f} s") from slow
