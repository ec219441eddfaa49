"""`payload-worker mart` speaks v1: for a data mart of v2 it says so, and asks nothing."""

from __future__ import annotations

import pytest

from tests.mart.command import Command


@pytest.mark.parametrize("words", [["show"], ["setup", "--internal"], ["subscriptions", "list"], ["delete", "--yes"]])
def test_every_command_refuses_v2_with_one_sentence(words: list[str]) -> None:
    done = Command("http://127.0.0.1:1", MART__API="v2")(*words)
    assert (done.code, done.out) == (78, "")
    assert done.err == "payload-worker: mart.api is v2, and these commands speak v1: use IBM's own client\n"
