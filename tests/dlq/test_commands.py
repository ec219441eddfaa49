"""`payload-worker dlq` as operators use it: what it shows and hides, asks and refuses, and does not do twice."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer

from tests.way.events import body, confluent, custom, event
from tests.way.registry import added_headers
from tests.way.stage import until
from worker.config import Kafka
from worker.dlq.headers import PARKED, TOPIC_ID
from worker.edges.cluster import describe
from worker.rooms.places import CONNECT, KIP, OWN, REDRIVES, SPRING
from worker.topics.reading import TopicReader
from worker.topics.spans import Bounds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from confluent_kafka import Message

    from tests.dlq.conftest import Done
    from tests.kafka.broker import Broker
    from tests.way.stage import Stage

    Run = Callable[..., Done]
    Headers = list[tuple[str, bytes | str | None]]

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]
SECRET = "Jane Doe"  # noqa: S105 - what must not be shown
TIME = int(time.time() * 1000) - 3_600_000
"""Of the records: an hour ago. Kafka would soon delete those that are older than their topic keeps."""
OLD = 1_700_000_000_000


def told(
    stage: Stage, offset: int, code: str = "unknown-asset", partition: int = 1, topic: str | None = None
) -> Headers:
    """Headers of a letter of ours."""
    return [
        (f"{KIP}topic", (topic or stage.topic).encode()),
        (f"{KIP}partition", b"%d" % partition),
        (f"{KIP}offset", b"%d" % offset),
        (f"{KIP}disposition", b"unknown-asset"),
        (f"{KIP}message", b"asset: no subscription is so called"),
        (f"{OWN}error.code", code.encode()),
        (f"{OWN}http.body", SECRET.encode()),
        (TOPIC_ID, topic_id(stage.bootstrap, topic or stage.topic).encode()),
    ]


@cache
def topic_id(bootstrap: str, topic: str) -> str:
    """Kafka's id of a topic; any, where there is none."""
    return describe(Kafka(bootstrap_servers=bootstrap), [topic]).topic_ids.get(topic, "none")


def fill(stage: Stage, count: int) -> None:
    """Records in the partition of the letters' places, so that these have been given out."""
    producer = Producer({"bootstrap.servers": stage.bootstrap})
    for _ in range(count):
        producer.produce(stage.topic, b"", partition=1)
    assert producer.flush(30) == 0


def letters(stage: Stage, *given: tuple[bytes | None, Headers], at: int = TIME) -> None:
    """Write letters, all into one partition."""
    producer = Producer({"bootstrap.servers": stage.bootstrap})
    for value, headers in given:
        producer.produce(stage.letters, value, b"key", partition=1, timestamp=at, headers=headers)
    assert producer.flush(30) == 0


def sent(stage: Stage, count: int) -> list[Message]:
    """What lies in the topic of events."""
    topic, stage.letters = stage.letters, stage.topic
    try:
        return stage.dead_letters(count, seconds=10)
    finally:
        stage.letters = topic


def ends(stage: Stage) -> int:
    """How many records the topic of events has."""
    with TopicReader(Kafka(bootstrap_servers=stage.bootstrap)) as reader:
        return sum(span.end for span in reader.find([stage.topic], Bounds()))


def scored(name: str = "action") -> bytes:
    return confluent(event(name, body({"name": SECRET}), body({"p": SECRET}), attributes={"who": SECRET}))


def test_nothing_of_a_payload_is_shown_unless_it_is_asked_for(stage: Stage, dlq: Run) -> None:
    letters(stage, (scored(), [*told(stage, 5), ("user", SECRET.encode())]))
    place = f"{stage.letters}:1:0"
    for arguments in (["list"], ["explain"], ["show", place], ["redrive", "--dry-run"]):
        done = dlq(*arguments)
        assert done.code == 0, done.err
        assert SECRET not in done.out + done.err, arguments
    found = dlq("show", place, "--json").document
    assert found["event"]["request"]["shape"] == {"name": "string"}
    assert found["event"]["attributes"] == {"who": "string"}
    assert found["first"] == f"{stage.topic}:1:5"
    assert dict(found["headers"])["user"] == "8 bytes"
    whole = dlq("show", place, "--payload").out
    assert whole.count(SECRET) >= 4


def test_a_letter_that_is_not_there_and_a_filter_that_is_wrong_are_told(stage: Stage, dlq: Run) -> None:
    assert dlq("show", f"{stage.letters}:1:7").code == 65
    done = dlq("list", "--where", "cod=x")
    assert done.code == 2
    assert "there is no name 'cod'; there are disposition, code" in done.err
    missing = dlq("list", "--topic", "no-such-topic")
    assert missing.code == 69
    assert "no-such-topic" in missing.err


def test_a_record_goes_back_with_key_time_partition_and_headers_of_its_own(stage: Stage, dlq: Run) -> None:
    value = scored()
    letters(stage, (value, [("own", b"x"), *told(stage, 5, partition=3), ("own", None)]))
    done = dlq("redrive", "--yes")
    assert done.code == 0, done.err
    (message,) = sent(stage, 1)
    assert (message.value(), message.key(), message.partition()) == (value, b"key", 3)
    assert message.timestamp()[1] == TIME
    place = [(f"{KIP}topic", stage.topic.encode()), (f"{KIP}partition", b"3"), (f"{KIP}offset", b"5")]
    assert message.headers() == [("own", b"x"), ("own", None), *place, (REDRIVES, b"1")]


def test_that_a_topic_will_not_keep_what_goes_back_is_said_before(stage: Stage, dlq: Run, broker: Broker) -> None:
    stage.topic += "-of-a-week"
    broker.create_topic(stage.topic, 4, {"retention.ms": str(7 * 24 * 3600 * 1000)})
    letters(stage, (b"a", told(stage, 5)), at=OLD)
    assert f"{stage.topic} does not keep records as old" in dlq("redrive", "--dry-run").err


def test_letters_of_connect_and_spring_go_back_with_their_identity(stage: Stage, dlq: Run) -> None:
    of_connect = [(name.replace(KIP, CONNECT), value) for name, value in told(stage, 5)[:3]]
    of_spring: Headers = [
        (f"{SPRING}original-topic", stage.topic.encode()),
        (f"{SPRING}original-partition", (1).to_bytes(4, "big")),
        (f"{SPRING}original-offset", (6).to_bytes(8, "big")),
        (f"{SPRING}exception-message", SECRET.encode()),
    ]
    fill(stage, 7)
    letters(stage, (b"a", of_connect), (b"b", of_spring), (b"c", [("trace", b"1")]))
    assert SECRET not in dlq("show", f"{stage.letters}:1:1").out
    done = dlq("redrive", "--yes", "--json")
    assert (done.code, done.document["sent"], done.document["withheld"]) == (65, 2, {"no-place": 1})
    found = {each.value(): added_headers(each) for each in sent(stage, 9) if each.value()}
    assert {value: headers[f"{KIP}offset"] for value, headers in found.items()} == {b"a": b"5", b"b": b"6"}
    assert not any(name.startswith((CONNECT, SPRING)) for headers in found.values() for name in headers)


def test_a_letter_of_a_topic_that_is_not_read_is_not_sent_there(stage: Stage, dlq: Run) -> None:
    letters(stage, (b"a", told(stage, 5, topic="elsewhere")))
    done = dlq("redrive", "--yes")
    assert done.code == 65
    assert "foreign-topic" in done.err


def test_a_patch_that_leaves_an_event_unfit_sends_nothing_and_is_made_up_for_later(
    stage: Stage, dlq: Run, tmp_path: Path
) -> None:
    """The position stays before what could not be sent: once the cause is gone, the same command sends it."""
    bad = custom(asset="nobody")
    letters(stage, (confluent(bad), told(stage, 5)), (b"\x07", told(stage, 6)))
    repair = tmp_path / "repair.toml"
    repair.write_text('[[change]]\nset = "asset"\nto = "newcomer"\n')
    arguments = ("redrive", "--patch", str(repair), "--yes", "--json")
    done = dlq(*arguments)
    assert (done.code, done.document["withheld"]) == (65, {"still-unknown-asset": 1, "unreadable": 1})
    stage.subscribe("custom", "newcomer")
    done = dlq(*arguments)
    assert (done.code, done.document["sent"]) == (65, 1)
    assert len(sent(stage, 1)) == 1


def test_a_patch_that_is_none_and_settings_that_are_missing_end_with_their_codes(dlq: Run, tmp_path: Path) -> None:
    repair = tmp_path / "repair.toml"
    repair.write_text("[[change]]\n")
    done = dlq("redrive", "--patch", str(repair))
    assert done.code == 65
    assert "change 1" in done.err
    assert dlq("redrive", "--patch", str(tmp_path / "none.toml")).code == 65
    assert dlq("list", BATCH__RECORDS="0").code == 78


def test_max_stops_and_the_same_command_goes_on_there(stage: Stage, dlq: Run) -> None:
    letters(stage, *((b"%d" % n, told(stage, n)) for n in range(25)))
    counts = [dlq("redrive", "--max", "15", "--yes", "--json").document["sent"] for _ in range(3)]
    assert counts == [15, 10, 0]
    assert sorted(int(each.value() or b"") for each in sent(stage, 25)) == list(range(25))


def test_a_redrive_that_is_stopped_loses_nothing_and_goes_on(stage: Stage, dlq: Run) -> None:
    letters(stage, *((b"%d" % n, told(stage, n)) for n in range(60)))
    command = [sys.executable, "-m", "worker", "dlq", "redrive", "--rate", "4", "--yes"]
    process = subprocess.Popen(command, env=stage.environment(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        until(lambda: ends(stage) > 0, "the first record")
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 75, error
    before = ends(stage)
    assert 0 < before < 60
    done = dlq("redrive", "--yes", "--json")
    assert (done.code, done.document["sent"]) == (0, 60 - before), done.err
    assert sorted(int(each.value() or b"") for each in sent(stage, 60)) == list(range(60))


def test_what_is_parked_is_left_out_and_parked_once(stage: Stage, dlq: Run, broker: Broker) -> None:
    letters(stage, *((b"%d" % n, told(stage, n, code="a" if n < 3 else "b")) for n in range(5)))
    missing = dlq("park", "--where", "code=a", "--yes")
    assert missing.code == 69
    assert f"--create --topic {stage.letters}.parked --partitions 4" in missing.err
    broker.create_topic(f"{stage.letters}.parked", 4, {})
    assert "3 parked" in dlq("park", "--where", "code=a", "--yes").out
    assert "to park: 0" in dlq("park", "--where", "code=a", "--yes").out
    found = dlq("explain", "--json").document
    assert (found["letters"], found["parked"]) == (2, 3)
    assert dlq("redrive", "--yes", "--json").document["sent"] == 2
    copies = dlq("list", "--topic", f"{stage.letters}.parked", "--json").document["letters"]
    assert {each["first"] for each in copies} == {f"{stage.topic}:1:{n}" for n in range(3)}
    copy = dlq("show", copies[0]["letter"], "--json").document
    assert dict(copy["headers"])[PARKED].startswith(f"{stage.letters}:1:")


def test_an_export_is_whole_the_owners_alone_and_never_overwrites(stage: Stage, dlq: Run, tmp_path: Path) -> None:
    letters(stage, (b"\x00one", told(stage, 1)), (None, told(stage, 2)))
    lines, files = tmp_path / "letters.jsonl", tmp_path / "letters"
    assert dlq("export", str(lines), "--yes").code == 0
    assert lines.stat().st_mode & 0o077 == 0
    found: list[Any] = [json.loads(each) for each in lines.read_text().splitlines()]
    assert [each["value"] and base64.b64decode(each["value"]) for each in found] == [b"\x00one", None]
    assert [f"{KIP}topic", base64.b64encode(stage.topic.encode()).decode()] in found[0]["headers"]
    again = dlq("export", str(lines), "--yes")
    assert again.code == 65
    assert "File exists" in again.err
    assert dlq("export", str(files), "--files", "--yes").code == 0
    assert (files / f"{stage.letters}-1-0.value").read_bytes() == b"\x00one"
    assert sorted(each.suffix for each in files.iterdir()) == [".json", ".json", ".value"]
    assert dlq("export", str(files), "--files", "--yes").code == 65


def test_groups_by_subscription_are_those_of_the_directory(stage: Stage, dlq: Run) -> None:
    subscription = stage.seeded["custom"].subscription_id
    letters(stage, (scored("action"), told(stage, 1)), (scored("nobody"), told(stage, 2)))
    found = dlq("explain", "--by", "subscription", "--json").document["groups"]
    assert {each["subscription"]: each["count"] for each in found} == {subscription: 1, None: 1}
    listed = dlq("list", "--where", f"subscription={subscription}", "--json").document["letters"]
    assert [each["first"] for each in listed] == [f"{stage.topic}:1:1"]
    assert dlq("redrive", "--where", f"subscription={subscription}", "--dry-run", "--json").document["group"] is None


def test_what_another_choice_passes_over_does_not_count_as_done(stage: Stage, dlq: Run, broker: Broker) -> None:
    often = [*told(stage, 2), (REDRIVES, b"3")]
    letters(stage, (b"0", told(stage, 0, code="a")), (b"1", told(stage, 1)), (b"2", often))
    broker.create_topic(f"{stage.letters}.parked", 4, {})
    assert "1 parked" in dlq("park", "--where", "code=a", "--yes").out
    outcomes = [dlq("redrive", "--yes", "--json") for _ in range(2)]
    assert [(each.code, each.document["sent"]) for each in outcomes] == [(65, 1), (65, 0)]
    assert all(each.document["withheld"] == {"redriven-too-often": 1} for each in outcomes)
    assert dlq("redrive", "--max-redrives", "5", "--yes", "--json").document["sent"] == 2
    assert dlq("redrive", "--parked", "--max-redrives", "5", "--yes", "--json").document["sent"] == 3


def test_a_letter_of_a_topic_that_was_made_anew_is_sent_only_if_its_event_has_an_id_of_its_own(
    stage: Stage, dlq: Run
) -> None:
    old = (TOPIC_ID, b"of the one before")
    own = confluent(custom(asset="action") | {"scoring_id": "mine"})
    untold = told(stage, 6)[:-1]
    letters(stage, (scored(), [*told(stage, 5)[:-1], old]), (own, [*told(stage, 7)[:-1], old]), (b"x", untold))
    done = dlq("redrive", "--yes", "--json")
    assert (done.code, done.document["sent"], done.document["withheld"]) == (65, 1, {"other-topic": 2})
    fill(stage, 7)
    assert dlq("redrive", "--again", "--yes", "--json").document["withheld"] == {"other-topic": 1}


def test_letters_of_json_topics_are_opened_and_filtered_and_those_of_cloudevents_are_not_passed_over(
    stage: Stage, dlq: Run
) -> None:
    said = {"content_type": "application/json", "data": json.dumps({"x": SECRET})}
    given = {"asset": "action", "attributes": {"service": "loans"}, "request": said, "response": said}
    letters(stage, (json.dumps(given).encode(), told(stage, 5)), (b"{", told(stage, 6)))
    as_json = {"EVENTS__FORMATS": json.dumps({stage.topic: "json"})}
    found = dlq("show", f"{stage.letters}:1:0", "--json", **as_json)
    assert (found.document["event"]["asset"], found.document["schema"]) == ("action", None)
    assert SECRET not in found.out
    assert "framing" not in dlq("show", f"{stage.letters}:1:1", **as_json).out
    arguments = ("redrive", "--where", "asset=act* service=loans", "--dry-run", "--json")
    assert dlq(*arguments, **as_json).document["would_send"] == 1
    as_halves = {"EVENTS__FORMATS": json.dumps({stage.topic: "cloudevents"})}
    blind = dlq(*arguments, **as_halves)
    assert blind.code == 65
    assert f"leave them out with topic!={stage.topic}" in blind.err
    assert dlq("explain", "--by", "asset,subscription", **as_halves).code == 0
    assert dlq("list", "--where", f"asset=act* topic!={stage.topic}", **as_halves).code == 0


def test_a_patch_of_what_is_not_avro_is_withheld(stage: Stage, dlq: Run, tmp_path: Path) -> None:
    letters(stage, (b"{}", told(stage, 5)))
    repair = tmp_path / "repair.toml"
    repair.write_text('[[change]]\nset = "asset"\nto = "action"\n')
    as_json = {"EVENTS__FORMATS": json.dumps({stage.topic: "json"})}
    done = dlq("redrive", "--patch", str(repair), "--yes", "--json", **as_json)
    assert (done.code, done.document["withheld"]) == (65, {"not-avro": 1})


def test_a_letter_that_comes_while_the_question_stands_is_not_parked_by_the_answer(
    stage: Stage, broker: Broker
) -> None:
    broker.create_topic(f"{stage.letters}.parked", 4, {})
    letters(stage, (b"before", told(stage, 1)))
    person, terminal = os.openpty()
    command = [sys.executable, "-m", "worker", "dlq", "park"]
    process = subprocess.Popen(command, env=stage.environment(), stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    try:
        asked = b""
        while b"Copy 1 letters" not in asked:
            asked += os.read(person, 4096)
        letters(stage, (b"after", told(stage, 2)))
        os.write(person, b"y\n")
        answered = b""
        with suppress(OSError):  # the other end is closed: it is through
            while more := os.read(person, 4096):
                answered += more
        assert process.wait(60) == 0, answered
    finally:
        process.kill()
        os.close(person)
    assert b"1 parked" in answered
