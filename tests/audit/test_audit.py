"""The audit and the trace over a whole run, on real Kafka: what was deleted, refused or is in flight, no more."""

from __future__ import annotations

import re
import shlex
import sqlite3
from typing import TYPE_CHECKING

import pytest

from tests.audit.play import BAD, DELETED, GOOD, Run, played, redrive
from tests.way.events import confluent, custom
from tests.way.stage import Stage, until
from worker.sandbox.options import Options
from worker.sandbox.seed import seed
from worker.sandbox.serve import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker

pytestmark = pytest.mark.kafka
SINCE = ("--from", "2020-01-01T00:00:00Z")


@pytest.fixture(scope="module", params=["v1", "v2"])
def run(
    request: pytest.FixtureRequest, broker: Broker, make_topic: TopicFactory, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Run]:
    """A run into a store on disk, with either API."""
    topic, letters = make_topic(prefix="events"), make_topic(prefix="letters")
    store = tmp_path_factory.mktemp("store") / "mart.db"
    with running(Options(store=store)) as sandbox:
        settings = {"MART__API": request.param}
        stage = Stage(broker.bootstrap, topic, letters, f"group-{topic}", sandbox, seed(sandbox.url), settings)
        yield played(stage, store)


@pytest.fixture(scope="module")
def clean(run: Run) -> Run:
    """The run before anything was deleted."""
    code, found = run.document("audit", *SINCE, "--wait", "0")
    assert code == 0, found
    assert found["repair"] == []
    assert {name: found[name] for name in ("produced", "held", "delivered", "dead_lettered", "open", "missing")} == {
        "produced": GOOD + 3, "held": GOOD, "delivered": GOOD, "dead_lettered": 2, "open": 1, "missing": 0,
    }  # fmt: skip
    return run


@pytest.fixture(scope="module")
def broken(clean: Run) -> Run:
    """The run after three events were deleted from the data mart's store by hand."""
    delete(clean.store, [clean.ids[offset] for offset in DELETED])
    return clean


def delete(store: Path, ids: list[str]) -> None:
    """Delete records and their rows, in the database itself."""
    with sqlite3.connect(store, timeout=30) as database:
        for each in ids:
            ((number,),) = database.execute("SELECT sequence FROM records WHERE scoring_id = ?", (each,)).fetchall()
            database.execute("DELETE FROM rows WHERE record = ?", (number,))
            database.execute("DELETE FROM records WHERE sequence = ?", (number,))
    database.close()


def test_an_audit_of_a_clean_run_ends_well_and_names_what_is_refused_and_in_flight(clean: Run) -> None:
    assert clean.in_flight == GOOD + len(BAD)


def test_an_audit_names_exactly_what_is_gone_refused_and_in_flight(broken: Run) -> None:
    code, found = broken.document("audit", *SINCE, "--wait", "0")
    assert code == 1
    named = [
        (each["partition"], each["offset_from"], each["offset_to"], each["fate"], each["why"])
        for each in found["not_held"]
    ]
    assert named == [
        (0, 3, 4, "missing", ""),
        (0, 10, 12, "missing", ""),
        (0, 12, 13, "dead-lettered", "decode (no-framing)"),
        (0, 27, 28, "dead-lettered", "decode (no-framing)"),
        (0, 42, 43, "open", ""),
    ]
    assert (found["produced"], found["held"], found["missing"]) == (GOOD + 3, GOOD - 3, 3)


def test_the_repair_that_is_printed_is_of_these_offsets(broken: Run) -> None:
    code, out, _ = broken.command("audit", *SINCE, "--wait", "0")
    assert code == 1
    commands = [shlex.split(line) for line in out.splitlines() if line.strip().startswith("payload-worker replay")]
    flags = [dict(zip(words[2::2], words[3::2], strict=True)) for words in commands]
    topic = {"--topic": broken.stage.topic, "--partition": "0"}
    assert flags == [
        topic | {"--offset-from": "3", "--offset-to": "4"},
        topic | {"--offset-from": "10", "--offset-to": "12"},
    ]


def test_bounds_leave_out_what_is_beyond_them(broken: Run) -> None:
    bounds = ("--partition", "0", "--offset-from", "4", "--offset-to", "11")
    code, found = broken.document("audit", *bounds, "--wait", "0")
    assert (code, found["produced"], found["missing"]) == (1, 7, 1)
    code, found = broken.document("audit", "--from", "2000-01-01T00:00:00Z", "--to", "2020-01-01T00:00:00Z")
    assert (code, found["produced"]) == (0, 0)


def test_another_subscription_has_no_part_in_it(broken: Run) -> None:
    seeded = broken.stage.seeded
    code, found = broken.document("audit", *SINCE, "--subscription", seeded["sagemaker"].subscription_id)
    assert (code, found["produced"], found["left_out"]) == (0, 0, GOOD + 3)
    own = seeded["custom"].subscription_id
    code, found = broken.document("audit", *SINCE, "--wait", "0", "--subscription", own)
    assert (code, found["produced"], found["missing"]) == (1, GOOD + 1, 3)
    assert all(command.endswith(f"--subscription {own}") for command in found["repair"])
    assert broken.command("audit", *SINCE, "--subscription", "no-such")[0] == 65


def test_a_trace_of_each_of_them_tells_the_truth(broken: Run) -> None:
    for offset, verdict in {
        **dict.fromkeys(DELETED, "missing"),
        **dict.fromkeys(BAD, "dead-lettered"),
        broken.in_flight: "open",
        5: "stored",
    }.items():
        by_id = offset in (DELETED[0], DELETED[1], BAD[0], broken.in_flight)
        what = broken.ids[offset] if by_id else f"{broken.stage.topic}:0:{offset}"
        code, (life,) = broken.document("trace", what)
        assert (code, life["verdict"], life["first"]["offset"]) == (0, verdict, offset)
        assert life["scoring_id"] == broken.ids[offset]
        assert [each["state"] for each in life["lies"]] == ["open" if verdict == "open" else "committed"]
        assert len(life["letters"]) == (offset in BAD)
        assert len(life["rows"]) == (1 + offset % 3 if verdict == "stored" else 0)
        if offset not in BAD:
            seeded = broken.stage.seeded["custom"]
            assert (life["subscription"], life["binding"]) == (seeded.subscription_id, seeded.binding_id)
            assert (life["framing"], life["deployment"]) == ("Confluent", seeded.deployment_id)


def test_a_trace_for_people_shows_no_payload_and_leads_on_from_a_dead_letter(broken: Run) -> None:
    _, (life,) = broken.document("trace", f"{broken.stage.topic}:0:{BAD[0]}")
    letter = life["letters"][0]["place"]
    code, out, _ = broken.command("trace", f"{letter['topic']}:{letter['partition']}:{letter['offset']}")
    assert code == 0
    assert out.startswith(f"{broken.stage.topic}:0:{BAD[0]}  dead-lettered")
    assert "decode (no-framing)" in out
    _, out, _ = broken.command("trace", broken.ids[5])
    assert "3 of 3 in the data mart" in out
    # a time of ours may have the seconds 37.512: the value ends where a number does
    assert not re.search(r"sector|income|\b37\.5\b|yes", out)


def test_a_trace_of_what_is_not_there_says_so(broken: Run) -> None:
    code, out, err = broken.command("trace", "no-such-event")
    assert (code, out) == (1, "")
    assert "no-such-event: no such event was found" in err
    assert "Traceback" not in err


@pytest.fixture
def fresh(broker: Broker, make_topic: TopicFactory, tmp_path: Path) -> Iterator[Run]:
    """A stage on which nothing was played yet."""
    topic, letters = make_topic(prefix="events"), make_topic(prefix="letters")
    with running() as sandbox:
        yield Run(Stage(broker.bootstrap, topic, letters, f"group-{topic}", sandbox, seed(sandbox.url)), tmp_path)


def test_a_redriven_event_counts_for_its_first_place_in_both(fresh: Run) -> None:
    stage = fresh.stage
    place = f"{stage.topic}:0:0"
    stage.produce([b"\xff not an event"], partition=0)
    with stage.worker() as worker:
        until(lambda: stage.committed() == 1, "the commit of what is refused")
        worker.stop()
    redrive(stage, (stage.topic, 0, 0), confluent(custom(2)))
    _, (life,) = fresh.document("trace", place)
    assert (life["verdict"], [each["redrives"] for each in life["lies"]]) == ("unread", [0, 1])
    code, found = fresh.document("audit", *SINCE, "--wait", "0")
    assert (code, found["produced"], found["redriven"], found["open"], found["dead_lettered"]) == (0, 1, 1, 1, 0)
    with stage.worker() as worker:
        until(lambda: stage.committed() == 2, "the commit of what was sent back")
        worker.stop()
    code, found = fresh.document("audit", *SINCE)
    assert (code, found["produced"], found["redriven"], found["held"], found["not_held"]) == (0, 1, 1, 1, [])
    _, (life,) = fresh.document("trace", life["scoring_id"])
    assert (life["verdict"], len(life["rows"]), len(life["letters"])) == ("stored", 2, 1)
