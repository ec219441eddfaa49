"""The rooms' inner loops in C, where they were built: `_rooms.c` is the source, and all of it is in Python as well."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import ModuleType

SWITCH: Final = "PAYLOAD_WORKER_PURE_PYTHON"
"""The environment variable that, set to anything, leaves the C out: to compare, or to rule it out as a cause."""


FORM: Final = 1
"""Of plans and functions; what was built from older sources has another, and is left out until it is built anew."""


def _built() -> ModuleType | None:
    if os.environ.get(SWITCH):
        return None
    try:
        from worker.extension import _rooms  # noqa: PLC0415 - only there where a C compiler was
    except ImportError:
        return None
    return _rooms if _rooms.FORM == FORM else None


BUILT: Final = _built()
"""The module in C, or None."""

READERS: Final = "python" if BUILT is None else "c"
"""Which it is, in a word for the log."""
