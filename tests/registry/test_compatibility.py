"""What ships stays readable: every past version against the newest, by the rule of a real registry."""

from __future__ import annotations

import json
import uuid
from itertools import groupby
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.rooms.schemas import AHEAD, BEHIND, changed, grown
from worker.edges.schemas import listed, reader_schema

if TYPE_CHECKING:
    from tests.registry.apicurio import Apicurio

SHIPPED = {
    name: [each.schema for each in entries] for name, entries in groupby(listed(None), lambda each: each.subject)
}
NEEDED = grown({"name": "team", "type": "string"})


def taken(apicurio: Apicurio, versions: list[Any]) -> None:
    """Raises where a registry does not take each of these after those before it."""
    subject = f"compatibility-{uuid.uuid4().hex[:8]}"
    apicurio.register(subject, [json.dumps(versions[0])])
    apicurio.configure(subject, "BACKWARD_TRANSITIVE")
    apicurio.register(subject, [json.dumps(each) for each in versions[1:]])


@pytest.mark.parametrize("subject", SHIPPED)
def test_each_version_that_ships_can_read_all_before_it(subject: str, apicurio: Apicurio) -> None:
    """And the worker's own, which is the newest, a last time."""
    taken(apicurio, [*SHIPPED[subject], reader_schema()])


def test_a_version_ahead_and_one_behind_may_follow_each_other(apicurio: Apicurio) -> None:
    taken(apicurio, [BEHIND, reader_schema(), AHEAD])


@pytest.mark.parametrize(
    "versions",
    [[reader_schema(), NEEDED], [reader_schema(), changed("asset", type="long")], [BEHIND, reader_schema(), NEEDED]],
    ids=["a new field without a default", "another type", "against the first as well"],
)
def test_a_version_that_could_not_read_what_is_there_is_not_taken(versions: list[Any], apicurio: Apicurio) -> None:
    with pytest.raises(httpx.HTTPStatusError, match="409"):
        taken(apicurio, versions)
