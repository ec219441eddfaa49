"""Letters that a filter leaves out because nobody can read them: said in number and reason, and not left behind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dlq.test_commands import SECRET, letters, scored, told
from worker.dlq.unread import MOST, OTHERS, Unread
from worker.dlq.where import where
from worker.edges.schemas import READER, shipped
from worker.rooms.framing import SchemaId

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.dlq.conftest import Done
    from tests.way.stage import Stage

ID = 70_001
UNKNOWN = f"{SchemaId(ID)} is not known here"


@given(st.lists(st.integers(0, 2 * MOST)))
def test_every_letter_is_counted_once_however_many_reasons_there_are(numbers: list[int]) -> None:
    unread = Unread()
    for number in numbers:
        unread.add(f"reason {number}")
    assert unread.why.total() == len(numbers)
    assert len(unread.why) <= MOST + 1
    assert (OTHERS in unread.why) == (len(set(numbers)) > MOST)
    assert bool(unread) == bool(numbers)


def test_the_line_says_how_many_for_which_filter_and_why() -> None:
    unread = Unread()
    unread.add("the record has no value")
    assert unread.line(where(["asset=a"])) == (
        "1 letter is left out: its event cannot be read, which --where asset=a asks for (1: the record has no value)"
    )
    unread.add(UNKNOWN)
    unread.add(UNKNOWN)
    assert unread.line(where(["asset=a"])).startswith("3 letters are left out: their events cannot be read")
    assert unread.line(where([])).endswith(f"(2: {UNKNOWN}, 1: the record has no value)")


def foreign(name: str) -> bytes:
    """An event behind a schema id that is in no schema directory yet."""
    return b"\0" + ID.to_bytes(4, "big") + scored(name)[5:]


def with_schema(directory: Path) -> dict[str, str]:
    """Settings of a schema directory in which the id is that of the event's own schema, too."""
    (directory / READER).write_bytes((shipped() / READER).read_bytes())
    versions = [{"version": number, "id": own, "file": READER} for number, own in enumerate((1, ID), 1)]
    (directory / "index.json").write_text(json.dumps({"subjects": {"payload_event": versions}}))
    return {"SCHEMAS__DIRECTORY": str(directory)}


@pytest.mark.kafka
@pytest.mark.timeout(240)
def test_a_letter_of_an_unknown_schema_is_told_and_is_sent_by_the_same_command_once_the_schema_is_there(
    stage: Stage, dlq: Callable[..., Done], tmp_path: Path
) -> None:
    letters(
        stage,
        (foreign("action"), told(stage, 1)),
        (None, told(stage, 2)),
        (foreign("action"), told(stage, 3, code="other")),
        (scored("action"), told(stage, 4)),
        (scored("else"), told(stage, 5)),
    )
    asked = ("--where", "asset=action code=unknown-asset")
    unreadable = {UNKNOWN: 1, "the record has no value": 1}
    listed = dlq("list", *asked, "--json").document
    assert (len(listed["letters"]), listed["unreadable"]) == (1, unreadable)
    explained = dlq("explain", *asked, "--json").document
    assert (explained["letters"], explained["unreadable"]) == (1, unreadable)
    for words in (["list"], ["explain"], ["redrive", "--dry-run"]):
        done = dlq(*words, *asked)
        assert (done.code, done.err.count("2 letters are left out")) == (0, 1), done.err
        assert UNKNOWN in done.err
        assert SECRET not in done.out + done.err
    assert dlq("list", "--where", "code=unknown-asset", "--json").document["unreadable"] == {}

    first = dlq("redrive", *asked, "--yes", "--json").document
    assert (first["sent"], first["unreadable"]) == (1, unreadable)
    known = with_schema(tmp_path)
    again = dlq("redrive", *asked, "--yes", "--json", **known).document
    assert again["unreadable"] == {"the record has no value": 1}
    assert again["sent"] == 2, "the one whose schema is known now, and what lay behind it"
    assert dlq("redrive", *asked, "--yes", "--json", **known).document["sent"] == 0
