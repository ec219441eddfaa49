"""docs/runbook.md as values: each procedure's signs, commands and steps, as they stand on the page.

A procedure is a section with four parts: a table of signs; **Look**, commands; **Do**, numbered steps that each begin
with a bold verb; **Over when**, signs again and commands. What a command is to do is said behind it, in a comment:
`# exit 69, prints "FAIL  data mart"`; without one it is to exit with 0.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[2] / "docs" / "runbook.md"
VERBS: Final = ("Run", "Mend", "Stop the workers", "Start the workers", "Start one more worker", "Wait")
"""What a step may ask for; a test does what is not a command by its own means."""

_BLOCK: Final = re.compile(r"^( *)```sh\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_EXPECTED: Final = re.compile(r"(?:exit (?P<code>\d+))?(?:, )?(?:prints (?P<texts>.+))?")
_SETTING: Final = re.compile(r"`(PAYLOAD_WORKER_\w+)=([^`]+)`")
_STEP: Final = re.compile(r"^\d+\. \*\*(?P<verb>[^*]+?)\.?\*\*(?P<text>.*?)(?=^\d+\. |\Z)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Command:
    """A line of shell, the exit code that it is to have, and texts that it is to print."""

    line: str
    code: int
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sign:
    """What is seen.

    By `where`: `alert`, `metric`: a PromQL expression; `/readyz`: reasons of which one is said, `200` for ready; `log`:
    an event, and fields as `name=value`.
    """

    where: str
    what: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: a verb of `VERBS`, commands if it has any, and variables that are to be set from then on."""

    verb: str
    commands: tuple[Command, ...]
    settings: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Procedure:
    """A section of the page."""

    title: str
    text: str
    seen: tuple[Sign, ...]
    look: tuple[Command, ...]
    do: tuple[Step, ...]
    over: tuple[Sign, ...]
    after: tuple[Command, ...]


def text() -> str:
    """The whole page."""
    return PAGE.read_text("utf-8")


def sections() -> dict[str, str]:
    """The page's sections by their titles."""
    parts = re.split(r"^## ", text(), flags=re.MULTILINE)[1:]
    return {title: body for title, _, body in (part.partition("\n") for part in parts)}


def procedures() -> dict[str, Procedure]:
    """The sections that are procedures, by title: those that say what is to be done."""
    return {title: _procedure(title, body) for title, body in sections().items() if "\n**Do**\n" in body}


def commands(body: str) -> tuple[Command, ...]:
    """All commands of all shell blocks in a text, continued lines joined."""
    blocks = (textwrap.dedent(block[2]).replace("\\\n", " ") for block in _BLOCK.finditer(body))
    return tuple(_command(line) for block in blocks for line in block.splitlines() if line and not line.startswith("#"))


def reasons() -> dict[str, str]:
    """What `/readyz` may say, by the table on top of the page, each with the title of its section."""
    found = {}
    for line in sections()["By what `/readyz` says"].splitlines():
        said, _, link = line.strip("| ").partition("|")
        for reason in re.findall(r"`([^`]+)`", said):
            found[reason] = link.strip()
    return found


def _procedure(title: str, body: str) -> Procedure:
    head, look, do, over = re.split(r"^\*\*(?:Look|Do|Over when)\*\*$", body, flags=re.MULTILINE)
    return Procedure(title, body, _signs(head), commands(look), _steps(do), _signs(over), commands(over))


def _signs(body: str) -> tuple[Sign, ...]:
    rows = [line.strip("| ").split(" | ") for line in body.splitlines() if line.startswith("| ") and "`" in line]
    return tuple(Sign(row[0].strip("`"), tuple(re.findall(r"`([^`]+)`", row[1]))) for row in rows)


def _steps(body: str) -> tuple[Step, ...]:
    found = (step.group("verb", "text") for step in _STEP.finditer(body))
    return tuple(Step(verb, commands(text), tuple(_SETTING.findall(text))) for verb, text in found)


def _command(line: str) -> Command:
    shown, _, comment = line.partition("  # ")
    found = _EXPECTED.fullmatch(comment.strip())
    if found is None:
        raise ValueError(f"the page says of a command what no test understands: {comment}")
    return Command(shown.strip(), int(found["code"] or 0), tuple(re.findall(r'"([^"]+)"', found["texts"] or "")))
