"""A stage as the whole way has it, and the command against it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.way.conftest import stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.way.stage import Stage

__all__ = ["stage"]


@dataclass
class Done:
    """A finished command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What it printed as JSON."""
        assert self.out, self.err
        return json.loads(self.out)


@pytest.fixture
def dlq(stage: Stage) -> Callable[..., Done]:
    """`payload-worker dlq …` with the settings of a worker on the stage."""

    def run(*arguments: str, **settings: str) -> Done:
        command = [sys.executable, "-m", "worker", "dlq", *arguments]
        environment = stage.environment(**settings) | {"COLUMNS": "200", "PYTHONIOENCODING": "utf-8"}
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240, check=False
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    return run
