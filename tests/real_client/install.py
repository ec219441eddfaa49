"""Makes each of IBM's clients an environment of its own, `.openscale-client…/`, once for a state of its lock file."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Final, NamedTuple

from tests.quietly import FailedError, quietly

ROOT: Final = Path(__file__).parents[2]
INSTALL_SECONDS: Final = 240


class Client(NamedTuple):
    """A client: where its environment is, and the lock file of what is in it."""

    home: Path
    lock: Path

    @property
    def python(self) -> Path:
        """The environment's Python."""
        return self.home / "bin" / "python"

    @property
    def stamp(self) -> Path:
        """What tells that the environment is whole, and for what it was made."""
        return self.home / "made-for"


V1: Final = Client(ROOT / ".openscale-client", ROOT / "requirements" / "real-client.txt")
# within the other, which is ignored and cleaned up: it goes with it, and is made again
V2: Final = Client(V1.home / "v2", ROOT / "requirements" / "real-client-v2.txt")


class InstallError(RuntimeError):
    """IBM's client cannot be had here; the message says why."""


def made(client: Client = V1) -> bool:
    """Whether the environment is there, with this Python and what the lock file of today asks for."""
    return client.stamp.is_file() and client.stamp.read_text("utf-8") == _wanted(client)


def make(client: Client = V1) -> Path:
    """The environment's Python; made unless it is there. Raises `InstallError`."""
    if not made(client):
        _refuse_links(client)
        shutil.rmtree(client.home, ignore_errors=True)
        _create(client)
        _install(client)
        client.stamp.write_text(_wanted(client), "utf-8")
    return client.python


def _refuse_links(client: Client) -> None:
    """Behind a link is another tree's environment, for its own Python: it may be used, not removed or made anew."""
    for place in (client.home, client.home.parent):
        if place.is_symlink():
            raise InstallError(f"{place.name} is a link, and what is there is not for this Python and lock file")


def _wanted(client: Client) -> str:
    return f"{sys.version}\n{client.lock.read_text('utf-8')}"


def _create(client: Client) -> None:
    try:
        venv.create(client.home, with_pip=True)
    except (OSError, subprocess.CalledProcessError) as failed:
        raise InstallError(f"no environment can be made in {client.home.name}: {type(failed).__name__}") from failed


def _install(client: Client) -> None:
    """Exactly what is locked: a client's own dependencies ask for more than it needs here."""
    pip = [str(client.python), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    command = [*pip, "--no-deps", "--require-hashes", "--requirement", str(client.lock)]
    try:
        quietly(command, seconds=INSTALL_SECONDS)
    except FailedError as failed:
        raise InstallError(f"pip could not install {client.lock.name}: {failed}") from failed
