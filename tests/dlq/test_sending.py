"""What goes back and what stays: topics that were made anew, headers that cannot be told, rates that are none."""

from __future__ import annotations

import math

import pytest
from typer.testing import CliRunner

from worker.console import CONFIG, UNAVAILABLE
from worker.dlq.commands import app
from worker.dlq.headers import PARKED, Told, identity, read
from worker.dlq.letters import Letter, letter_of
from worker.dlq.moving import copies_of
from worker.dlq.progress import group_name
from worker.dlq.sending import REDRIVES, Outgoing, Sender, Sources, Withheld
from worker.dlq.session import answered
from worker.rooms.places import KIP, OWN

IDS = {"t": "present"}


class Message:
    """A record as the library gives it, whose headers it cannot tell where a name is not UTF-8."""

    def __init__(self, *, readable: bool) -> None:
        self.readable = readable

    def topic(self) -> str:
        return "letters"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 7

    def timestamp(self) -> tuple[int, int]:
        return 1, 0

    def key(self) -> None:
        return None

    def value(self) -> bytes:
        return b"x"

    def headers(self) -> list[tuple[str, bytes]]:
        if not self.readable:
            raise SystemError
        return [("trace", b"1")]


def letter(topic_id: str | None, offset: int, partition: int = 0) -> Letter:
    told = Told(KIP, topic="t", partition=partition, offset=offset, topic_id=topic_id)
    return Letter("letters", 0, 0, 0, None, b"x", (), told)


@pytest.mark.parametrize(
    ("given", "ids", "goes"),
    [
        (letter("present", 4), IDS, True),
        (letter("present", 400), IDS, True),
        (letter("former", 4), IDS, False),
        (letter("former", 4), {}, True),
        (letter(None, 9), IDS, True),
        (letter(None, 10), IDS, False),
        (letter(None, 0, partition=5), IDS, False),
        (letter("former", 10), {}, False),
    ],
)
def test_a_letter_of_a_topic_of_before_stays_where_that_can_be_told(
    given: Letter,
    ids: dict[str, str],
    goes: bool,  # noqa: FBT001 - of a table
) -> None:
    sources = Sources({"t": 2}, ids, {("t", 0): 10})
    found = Sender(sources).prepare(given)
    assert isinstance(found, Outgoing) is goes
    assert goes or (isinstance(found, Withheld) and found.code == "other-topic")
    own = Sender(sources, own_id=lambda _: True).prepare(given)
    assert isinstance(own, Outgoing), "an id of its own is nobody else's"


@pytest.mark.parametrize("redrives", [0, 1, 2])
def test_a_record_goes_back_to_its_first_place_one_redrive_more_and_with_what_was_its_own(redrives: int) -> None:
    told = Told(KIP, topic="t", partition=5, offset=9, redrives=redrives, timestamp_ms=1234, topic_id="present")
    headers = [("trace", b"1"), *identity(told, redrives), (f"{OWN}error.code", b"conflict")]
    sender = Sender(Sources({"t": 2}, IDS, {}))
    sent = sender.prepare(Letter("letters", 1, 7, 9999, b"key", b"x", headers, told))
    assert isinstance(sent, Outgoing)
    assert (sent.topic, sent.partition, sent.timestamp_ms, sent.key, sent.value) == ("t", 1, 1234, b"key", b"x")
    again = read(sent.headers)
    assert again is not None
    assert (again.place, again.redrives, again.code) == (("t", 5, 9), redrives + 1, None)
    assert sent.headers[0] == ("trace", b"1")


def test_a_record_that_was_sent_back_often_enough_stays() -> None:
    told = Told(KIP, topic="t", partition=0, offset=9, redrives=REDRIVES)
    found = Sender(Sources({"t": 2}, {}, {("t", 0): 10})).prepare(Letter("l", 0, 0, 0, None, b"x", (), told))
    assert isinstance(found, Withheld)
    assert found.code == "redriven-too-often"


def test_progress_is_another_one_s_for_every_other_choice() -> None:
    """A letter that one choice passes over must not count as done for the next."""
    choices = [("code=a", None, None), ("code=b", None, None), ("code=a", 1, None), ("code=a", None, 1)]
    names = {group_name(group, topics, *each) for group in "gh" for topics in (["t"], ["t", "u"]) for each in choices}
    assert len(names) == 2 * 2 * len(choices)
    assert group_name("g", ["u", "t"], "code=a") == group_name("g", ["t", "u"], "code=a")


def test_a_letter_whose_headers_cannot_be_told_is_not_parked_without_them() -> None:
    told, untold = (letter_of(Message(readable=readable)) for readable in (True, False))
    (copy,) = copies_of([untold, told], {"letters.parked": 1})
    assert list(copy.headers) == [("trace", b"1"), (PARKED, b"letters:0:7")]


@pytest.mark.parametrize("rate", [math.inf, math.nan])
def test_a_rate_that_is_no_number_is_a_wrong_command_line(rate: float) -> None:
    done = CliRunner().invoke(app, ["redrive", "--rate", str(rate)])
    assert done.exit_code == 2


def test_a_refused_credential_is_a_matter_of_the_settings() -> None:
    assert [answered(status) for status in (401, 403, 500, None)] == [CONFIG, CONFIG, UNAVAILABLE, UNAVAILABLE]
