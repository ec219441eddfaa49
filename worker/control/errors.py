"""What ends a command: a message for people, and the exit code that goes with it."""

from __future__ import annotations

OK, DECLINED, USAGE, DATA, UNAVAILABLE, CONFIG = 0, 1, 2, 65, 69, 78
"""Exit codes, as the whole program has them; DECLINED: the person at the terminal said no."""


class ControlError(Exception):
    """One clear message: the thing, where it came from, what to do; never a secret. `code`: to exit with."""

    def __init__(self, message: str, code: int = DATA) -> None:
        super().__init__(message)
        self.code = code
