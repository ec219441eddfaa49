"""The runbook's procedures for a data mart that is slow, down, or refuses the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from chaos.proxy import CLEAR, Proxy, Weather
from tests.way.events import confluent, many

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.runbook.play import Play
    from tests.way.stage import Stage

pytestmark = pytest.mark.kafka

COUNT = 800
POSTS = {"path": "scoring_payloads$"}
ANSWERS = {
    "unauthorised": {"status": 401},
    "forbidden": {"status": 403, "body": {"trace": "", "errors": [{"code": "AIQCS0001E", "message": "forbidden"}]}},
    "wrong-endpoint": {"status": 404, "body": "no such page"},
}


def _stored(stage: Stage, play: Play, count: int = COUNT) -> None:
    play.settled()
    assert stage.sandbox.stats()["distinct"] == count
    assert stage.dead_letters(0, seconds=1) == []


def _spread(stage: Stage, count: int) -> None:
    """So many events in each partition."""
    for number in range(4):
        stage.produce(map(confluent, many(count)), partition=number)


def test_lag_that_grows_for_a_slow_data_mart_is_shared_by_one_more_worker(
    stage: Stage, begin: Callable[[str], Play]
) -> None:
    stage.settings |= {"DELIVERY__IN_FLIGHT": "1", "BATCH__RECORDS": "20", "LIMITS__RECORDS": "40"}
    stage.sandbox.fault({"match": POSTS, "action": {"delay_ms": 200}})
    play = begin("Lag grows")
    _spread(stage, 20)  # a partition has a lag once something of it was read
    play.start()
    play.until("count(payload_worker_consumer_lag_messages) == 4")
    _spread(stage, COUNT // 4 - 20)
    play.see()
    play.look()
    play.holds("min(payload_worker_posts_in_flight) >= min(payload_worker_posts_limit)")
    play.do()
    play.over()
    _stored(stage, play)


def test_a_data_mart_that_is_down_is_waited_for(stage: Stage, begin: Callable[[str], Play]) -> None:
    play = begin("The data mart is down")
    with Proxy(urlsplit(stage.sandbox.url).netloc, seed="runbook") as proxy:
        stage.settings["MART__URL"] = f"http://{proxy.address}"
        play.start()
        stage.sandbox.fault({"match": POSTS, "action": {"status": 503}})
        stage.produce(map(confluent, many(COUNT)))
        play.see("server-error")
        proxy.become(Weather(refuse=True))
        play.see("connect-failed")
        play.look()

        def mended() -> None:
            proxy.become(CLEAR)
            stage.sandbox.heal()

        play.do(mended)
        play.over()
        assert len(play.workers[0].lines("partitions.assigned")) == 1
        _stored(stage, play)
    play.told_all()


def test_a_key_that_has_expired_is_replaced_by_a_restart(
    stage: Stage, begin: Callable[[str], Play], tmp_path: Path
) -> None:
    play = begin("Credentials expire, or the address is wrong")
    file = tmp_path / "key"
    file.write_text("old-key")
    stage.settings["MART__API_KEY_FILE"] = str(file)
    play.start()
    stage.produce(map(confluent, many(COUNT)))
    for reason, answer in ANSWERS.items():
        stage.sandbox.fault({"match": POSTS, "action": answer})
        stage.produce(map(confluent, many(1)))
        play.see(reason)
        stage.sandbox.heal()
    stage.sandbox.fault({"match": {"path": "validateAuth$", "contains": "old-key"}, "action": {"status": 400}})
    stage.sandbox.revoke_tokens()
    stage.produce(map(confluent, many(1)))
    play.see("credentials-refused")
    play.look()
    play.do(lambda: file.write_text("new-key"))
    play.over()
    _stored(stage, play, COUNT + len(ANSWERS) + 1)
    play.told_all()
