"""CloudEvents in the audit and the trace, on real Kafka: two records are one scoring, wherever they lie."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from tests.audit.clouds import Played, give_up, produce, settings
from tests.audit.play import Run, commit
from tests.audit.test_audit import SINCE, delete
from tests.way.clouds import scorings
from tests.way.stage import Stage, until
from worker.audit.pairing import AROUND
from worker.sandbox.options import Options
from worker.sandbox.seed import seed
from worker.sandbox.serve import running

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker
    from tests.way.clouds import Scoring

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def played(broker: Broker, make_topic: TopicFactory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """The run into a store on disk."""
    topic, letters = make_topic(prefix="clouds"), make_topic(prefix="letters")
    store = tmp_path_factory.mktemp("store") / "mart.db"
    with running(Options(store=store)) as sandbox:
        stage = Stage(broker.bootstrap, topic, letters, f"group-{topic}", sandbox, seed(sandbox.url), settings(topic))
        made = Played(stage, store)
        made.play()
        yield made


def fates(found: Any) -> dict[int, tuple[str, str]]:
    """Fate and reason by offset of all that is not held; ranges have nothing else between."""
    ranges = [(range(each["offset_from"], each["offset_to"]), each) for each in found["not_held"]]
    assert all(len(offsets) == each["events"] for offsets, each in ranges)
    return {offset: (each["fate"], each["why"]) for offsets, each in ranges for offset in offsets}


def expected(played: Played, missing: Iterable[Scoring] = ()) -> dict[int, tuple[str, str]]:
    letters = {
        offset: ("dead-lettered", f"validation (unpaired-{side})")
        for own, side in played.unpaired.items()
        for offset in played.offsets[own]
    }
    open_ = {len(played.events) + at: ("open", "") for at in range(3)}
    gaps = {offset: ("missing", "") for each in missing for offset in played.offsets[each.id]}
    return {**letters, **open_, **gaps}


def test_of_a_clean_run_every_record_is_accounted_and_a_pair_is_one_scoring(played: Played) -> None:
    code, found = played.run.document("audit", *SINCE, "--wait", "0")
    assert code == 0, found
    assert fates(found) == expected(played)
    counts = {name: found[name] for name in ("produced", "held", "dead_lettered", "open", "missing", "pairs")}
    assert counts == {
        "produced": len(played.events) + 3, "held": 2 * len(played.whole), "dead_lettered": len(played.unpaired),
        "open": 3, "missing": 0, "pairs": len(played.whole) + 1,
    }  # fmt: skip
    assert found["rows_held"] == sum(len(each.rows) for each in played.whole)
    assert (found["same_scoring_id"], found["repair"]) == (0, [])


def test_a_span_that_cuts_scorings_in_two_finds_their_other_halves_outside(played: Played) -> None:
    begin, end = len(played.events) // 3, 2 * len(played.events) // 3
    inside = range(begin, end)
    cut = [each for each in played.whole if sum(offset in inside for offset in played.offsets[each.id]) == 1]
    assert cut, "the span is to cut some"
    code, found = played.run.document(
        "audit", "--partition", "0", "--offset-from", str(begin), "--offset-to", str(end), "--wait", "0"
    )
    assert code == 0, found
    assert fates(found) == {offset: told for offset, told in expected(played).items() if offset in inside}
    assert found["produced"] == len(inside)


def test_a_trace_of_either_half_or_of_the_id_tells_of_both(played: Played) -> None:
    scoring = played.whole[3]
    places = [{"topic": played.stage.topic, "partition": 0, "offset": offset} for offset in played.offsets[scoring.id]]
    words = [f"{played.stage.topic}:0:{each['offset']}" for each in places]
    lives = [played.run.document("trace", *what)[1] for what in ([words[0]], [words[1]], [scoring.stored, *SINCE])]
    assert lives[0] == lives[1] == lives[2]
    ((life,), _, _) = lives
    assert [each["place"] for each in life["lies"]] == places
    assert {each["half"] for each in life["lies"]} == {"request", "response"}
    assert (life["verdict"], life["scoring_id"], life["framing"]) == ("stored", scoring.stored, "CloudEvent")
    assert (len(life["rows"]), life["expected_rows"], life["alone"]) == (len(scoring.rows), len(scoring.rows), None)
    assert life["subscription"] == played.stage.seeded["custom"].subscription_id
    _, out, _ = played.run.command("trace", words[1])
    assert all(f"{each['half']:<13} {place}," in out for each, place in zip(life["lies"], words, strict=True))


def test_a_trace_of_a_half_without_the_other_says_so_and_shows_its_letter(played: Played) -> None:
    own, side = next(iter(played.unpaired.items()))
    (offset,) = played.offsets[own]
    _, (life,) = played.run.document("trace", f"{played.stage.topic}:0:{offset}")
    other = "response" if side == "request" else "request"
    assert life["alone"] == f"no {other} with its id was found within {AROUND[-1]:,} offsets around it"
    assert (life["verdict"], [each["code"] for each in life["letters"]]) == ("dead-lettered", [f"unpaired-{side}"])
    assert next(each for each in played.made if each.id == own).stored == life["scoring_id"]
    _, (open_,) = played.run.document("trace", f"{played.stage.topic}:0:{len(played.events) + 2}")
    assert (open_["verdict"], open_["letters"], open_["refusal"]) == ("open", [], None)


def test_what_is_gone_is_missing_in_both_halves_and_the_repair_that_is_printed_brings_it_back(played: Played) -> None:
    gone = [played.whole[2], played.whole[9]]
    delete(played.run.store, [each.stored for each in gone])
    code, found = played.run.document("audit", *SINCE, "--wait", "0")
    assert (code, fates(found)) == (1, expected(played, gone))
    offsets = sorted(offset for each in gone for offset in played.offsets[each.id])
    (repair,) = found["repair"]
    assert f"--offset-from {offsets[0]} --offset-to {offsets[-1] + 1}" in repair
    begin, end = sorted(played.offsets[gone[1].id])
    cut = ("--partition", "0", "--offset-from", str(begin + 1), "--offset-to", str(end + 1), "--wait", "0")
    code, found = played.run.document("audit", *cut)
    assert (code, fates(found)[end]) == (1, ("missing", ""))
    reach = [words[words.index("--offset-from") + 1] for words in map(str.split, found["repair"])]
    assert all(int(first) <= begin for first in reach), "the half outside of the span is to be sent again with it"
    assert reach
    _, (life,) = played.run.document("trace", gone[0].stored)
    assert (life["verdict"], len(life["lies"])) == ("missing", 2)

    command = [sys.executable, "-m", "worker", *repair.split()[1:], "--yes"]
    done = subprocess.run(
        command, env=played.stage.environment(), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode in (0, 65), done.stderr  # 65: the span has halves whose others lie outside of it, or nowhere
    code, found = played.run.document("audit", *SINCE)
    assert (code, fates(found)) == (0, expected(played))


@pytest.fixture
def fresh(broker: Broker, make_topic: TopicFactory, tmp_path: Path) -> Iterator[Run]:
    """A stage on which nothing was played yet."""
    topic, letters = make_topic(prefix="clouds"), make_topic(prefix="letters")
    with running() as sandbox:
        told = settings(topic)
        yield Run(Stage(broker.bootstrap, topic, letters, f"group-{topic}", sandbox, seed(sandbox.url), told), tmp_path)


def test_halves_that_were_given_up_and_sent_back_count_for_their_first_places(fresh: Run) -> None:
    stage = fresh.stage
    scoring = next(scorings(1, random.Random(1)))  # noqa: S311 - a seed
    request, response = scoring.events()
    produce(stage, [request, response])
    for offset, event in enumerate((request, response)):
        give_up(stage, event, (stage.topic, 0, offset))
    commit(stage, 2)
    code, found = fresh.document("audit", *SINCE, "--wait", "0")
    assert (code, found["dead_lettered"], found["pairs"]) == (0, 2, 1)
    produce(stage, [request], place=(stage.topic, 0, 0))
    produce(stage, [response], place=(stage.topic, 0, 1))
    code, found = fresh.document("audit", *SINCE, "--wait", "0")
    assert (code, found["open"], found["redriven"], found["produced"]) == (0, 2, 2, 2)
    with stage.worker() as worker:
        until(lambda: stage.committed() == 4, "the commit of what was sent back")
        worker.stop()
    code, found = fresh.document("audit", *SINCE)
    assert (code, found["held"], found["not_held"]) == (0, 2, [])
    _, (life,) = fresh.document("trace", f"{stage.topic}:0:1")
    assert [(each["place"]["offset"], each["half"], each["redrives"]) for each in life["lies"]] == [
        (0, "request", 0), (1, "response", 0), (2, "request", 1), (3, "response", 1),
    ]  # fmt: skip
    assert (life["verdict"], len(life["letters"])) == ("stored", 2)


def test_a_half_whose_other_half_is_not_in_kafka_any_more_goes_by_the_rows_of_its_id(fresh: Run) -> None:
    stage = fresh.stage
    stored, lost = scorings(2, random.Random(1))  # noqa: S311 - a seed
    produce(stage, [each.events()[0] for each in (stored, lost)])
    produce(stage, [stored.events()[1]])
    with stage.worker() as worker:
        until(lambda: len(stage.sandbox.records(stage.seeded["custom"].subscription_id)) == 1, "the pair")
        until(lambda: stage.committed() == 3, "the unpaired one's letter, and the commit")
        worker.stop()
    (letter,) = stage.dead_letters(1)
    admin = AdminClient({"bootstrap.servers": stage.bootstrap})
    ends = [TopicPartition(stage.topic, 0, 1), TopicPartition(stage.letters, letter.partition() or 0, 1)]
    for future in admin.delete_records(ends).values():
        future.result(30)
    code, found = fresh.document("audit", *SINCE, "--wait", "0")
    assert (code, found["held"], fates(found)) == (
        1, 1, {1: ("refused-without-letter", "validation (unpaired-request)")},
    )  # fmt: skip
    assert found["repair"] == []
