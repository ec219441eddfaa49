"""Makes IBM's own client an environment of its own, `.openscale-client/`, once for a state of its lock file."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
HOME: Final = ROOT / ".openscale-client"
LOCK: Final = ROOT / "requirements" / "real-client.txt"
PYTHON: Final = HOME / "bin" / "python"
INSTALL_SECONDS: Final = 240


class InstallError(RuntimeError):
    """IBM's client cannot be had here; the message says why."""


def made() -> bool:
    """Whether the environment is there, with this Python and what the lock file of today asks for."""
    stamp = HOME / "made-for"
    return stamp.is_file() and stamp.read_text("utf-8") == _wanted()


def make() -> Path:
    """The environment's Python; made unless it is there. Raises `InstallError`."""
    if not made():
        shutil.rmtree(HOME, ignore_errors=True)
        _create()
        _install()
        (HOME / "made-for").write_text(_wanted(), "utf-8")
    return PYTHON


def _wanted() -> str:
    return f"{sys.version}\n{LOCK.read_text('utf-8')}"


def _create() -> None:
    try:
        venv.create(HOME, with_pip=True)
    except (OSError, subprocess.CalledProcessError) as failed:
        raise InstallError(f"no environment can be made in {HOME.name}: {type(failed).__name__}") from failed


def _install() -> None:
    """Exactly what is locked: the client's own dependencies ask for more than it needs here."""
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    try:
        subprocess.run(
            [*pip, "--no-deps", "--require-hashes", "--requirement", str(LOCK)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=True,
            timeout=INSTALL_SECONDS,
            text=True,
        )
    except subprocess.CalledProcessError as failed:
        raise InstallError(f"pip could not install {LOCK.name}:\n{failed.stdout[-2000:]}") from failed
    except subprocess.TimeoutExpired as slow:
        raise InstallError(f"pip did not install {LOCK.name} in {INSTALL_SECONDS} s") from slow
