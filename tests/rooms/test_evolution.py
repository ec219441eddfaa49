"""Schemas that change: what is written a version ahead or behind is read as what both versions mean, or refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.rooms.schemas import AHEAD, AHEAD_ONLY, BEHIND, SITE, changed, grown, without, written
from tests.way.events import body, custom, event
from worker.edges.schemas import listed, reader_schema
from worker.model import Body, Event, Table
from worker.rooms.writer_schema import Reader, UnsafeSchemaError, compile_reader

READER = reader_schema()
FULL = custom(2) | {
    "binding": "b",
    "deployment": "d",
    "scoring_id": "é-🦆",
    "scored_at": 1_560_247_200_123_456,
    "response_time_ms": (1 << 53) + 1,
    "attributes": {"trace": "1"},
    **AHEAD_ONLY,
}
NAMES = ("binding", "asset", "deployment", "scoring_id", "scored_at", "response_time_ms", "attributes")
CELLS = READER["fields"][6]["type"][1]["fields"][1]["type"]["items"]["items"]


def read(writer: Any, record: dict[str, Any], reader: Any = READER) -> Event:
    return compile_reader("w", writer, reader).event(written(writer, record), 0)


def same(found: Event, record: dict[str, Any], *left_out: str) -> None:
    """An event has all that a record says, and nothing where it says nothing."""
    absent: dict[str, Any] = dict.fromkeys(NAMES) | {"attributes": {}}
    for name in NAMES:
        assert getattr(found, name) == (absent if name in left_out else record)[name], name
    for part in ("request", "response"):
        got = getattr(found, part)
        assert isinstance(got, Body)
        assert {"content_type": got.content_type, "data": got.data} == record[part]


def renamed(schema: Any, old: str, new: str, *, alias: bool) -> Any:
    """The schema with a field renamed, the old name kept as an alias or not."""
    found = copy.deepcopy(schema)
    field = next(each for each in found["fields"] if each["name"] == old)
    field["name"] = new
    if alias:
        field["aliases"] = [old]
    return found


# --- ahead and behind -------------------------------------------------------------------------------------------------


def test_a_producer_one_version_ahead_is_read_without_what_is_new() -> None:
    same(read(AHEAD, FULL), FULL)


def test_a_producer_one_version_behind_is_read_with_defaults_for_what_it_lacks() -> None:
    same(read(BEHIND, FULL), FULL, "response_time_ms", "attributes")


def test_a_worker_one_version_ahead_reads_all_that_was_ever_written() -> None:
    """As after the next release: what it knows more has a default."""
    for writer in (BEHIND, READER, AHEAD):
        found: Any = compile_reader("w", writer, AHEAD).read(written(writer, FULL), 0)
        assert found["asset"] == "action"
        more = AHEAD_ONLY if writer is AHEAD else {"region": None, "tier": "gold", "site": None}
        assert {name: found[name] for name in more} == more


@pytest.mark.parametrize("entry", listed(None), ids=lambda entry: f"{entry.subject}/{entry.version}")
def test_every_version_that_ships_can_be_read_by_the_worker(entry: Any) -> None:
    same(read(entry.schema, FULL), FULL)


def test_the_newest_version_that_ships_is_what_the_worker_reads_events_into() -> None:
    assert [each for each in listed(None) if each.subject == "payload_event"][-1].schema == READER


# --- renamed ----------------------------------------------------------------------------------------------------------


def test_a_renamed_field_is_read_from_an_older_producer_by_its_alias() -> None:
    newer = renamed(READER, "asset", "model", alias=True)
    found: Any = compile_reader("w", READER, newer).read(written(READER, FULL), 0)
    assert found["model"] == "action"
    assert "asset" not in found


def test_a_renamed_record_within_is_read_by_its_alias() -> None:
    newer = copy.deepcopy(READER)
    newer["fields"][6]["type"][0] |= {"name": "Native", "aliases": ["Body"]}
    newer["fields"][7]["type"][0] = "Native"
    found: Any = compile_reader("w", READER, newer).read(written(READER, FULL), 0)
    assert found["request"] == FULL["request"]


def test_a_needed_field_that_a_producer_renames_alone_is_refused_when_its_schema_is_loaded() -> None:
    with pytest.raises(UnsafeSchemaError, match="cannot be read as events"):
        compile_reader("w", renamed(READER, "asset", "model", alias=True), READER)


def test_another_field_that_a_producer_renames_is_one_that_it_left_out() -> None:
    writer = renamed(READER, "deployment", "endpoint", alias=True)
    found = read(writer, FULL | {"endpoint": "e"})
    same(found, FULL, "deployment")


# --- promoted ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["int", ["null", "int"], ["int", "null"]])
def test_an_int_becomes_a_long(kind: Any) -> None:
    largest = (1 << 31) - 1
    writer = changed("response_time_ms", type=kind, default=None if kind[0] == "null" else 0)
    assert read(writer, FULL | {"response_time_ms": largest}).response_time_ms == largest


@pytest.mark.parametrize(("kind", "cell"), [("int", 7), ("float", 0.5), ("long", -(1 << 63)), ("double", 5e-324)])
def test_a_cell_of_one_number_type_is_read_with_its_value(kind: str, cell: float) -> None:
    writer = copy.deepcopy(READER)
    writer["fields"][6]["type"][1]["fields"][1]["type"]["items"]["items"] = kind
    found = read(writer, event("a", {"fields": ["x"], "values": [[cell]], "meta": None}, body({})))
    assert isinstance(found.request, Table)
    assert found.request.values == [[cell]]


# --- unions -----------------------------------------------------------------------------------------------------------


def of_cells(*kinds: Any) -> Any:
    """The event's schema with cells of these types in a request's table."""
    writer = copy.deepcopy(READER)
    writer["fields"][6]["type"][1]["fields"][1]["type"]["items"]["items"] = list(kinds)
    return writer


def test_a_union_that_has_grown_is_read_while_the_old_branches_are_written() -> None:
    row = [None, True, 1 << 62, 0.1, "é\0", [1, ["x"]]]
    writer = of_cells("bytes", *CELLS, SITE)
    found = read(writer, event("a", {"fields": list("abcdef"), "values": [row], "meta": None}, body({})))
    assert isinstance(found.request, Table)
    assert found.request.values == [row]


def test_a_branch_that_the_worker_does_not_know_is_refused_and_not_made_something_else() -> None:
    writer = of_cells(*CELLS, SITE)
    value = written(writer, event("a", {"fields": ["a"], "values": [[{"city": "x"}]], "meta": None}, body({})))
    reader = compile_reader("w", writer, READER)
    with pytest.raises(Exception, match=r"."):
        reader.event(value, 0)


def test_a_union_that_had_fewer_branches_is_read() -> None:
    found = read(
        of_cells("string", "null"), event("a", {"fields": ["a"], "values": [["x"], [None]], "meta": None}, body({}))
    )
    assert isinstance(found.request, Table)
    assert found.request.values == [["x"], [None]]


def test_a_field_that_became_nullable_or_is_no_longer_is_read() -> None:
    assert read(changed("binding", type="string", default=""), FULL).binding == "b"
    assert read(changed("asset", type=["null", "string"]), FULL).asset == "action"
    with pytest.raises(Exception, match=r"."):
        read(changed("asset", type=["null", "string"]), FULL | {"asset": None})


# --- enums and nested records -----------------------------------------------------------------------------------------


def tiers(*symbols: str, **more: Any) -> Any:
    return grown({"name": "tier", "type": {"type": "enum", "name": "Tier", "symbols": list(symbols), **more}})


def test_a_symbol_that_is_new_is_read_as_the_default_and_a_known_one_as_itself() -> None:
    """As after a release whose schema has an enum."""
    newer = tiers("gold", "silver", default="silver")
    for given, expected in {"gold": "gold", "tin": "silver"}.items():
        writer = tiers("tin", "gold", "silver")
        found: Any = compile_reader("w", writer, newer).read(written(writer, FULL | {"tier": given}), 0)
        assert found["tier"] == expected


def test_symbols_of_a_field_that_the_worker_does_not_have_may_change_as_they_like() -> None:
    same(read(tiers("tin"), FULL | {"tier": "tin"}), FULL)


def body_with(**more: Any) -> Any:
    """The event's schema with one more field in the nested record of a native body."""
    writer = copy.deepcopy(READER)
    writer["fields"][6]["type"][0]["fields"].insert(0, {"name": "encoding", **more})
    return writer


def test_a_nested_record_that_has_grown_is_read_without_what_is_new() -> None:
    record = FULL | {part: {**FULL[part], "encoding": {"city": "x"}} for part in ("request", "response")}
    same(read(body_with(type=SITE), record), FULL)


def test_a_nested_record_that_grows_in_the_worker_is_read_with_its_default() -> None:
    newer = body_with(type="string", default="utf-8")
    found: Any = compile_reader("w", READER, newer).read(written(READER, FULL), 0)
    assert found["request"] == {"encoding": "utf-8", **FULL["request"]}


def test_a_nested_record_that_lacks_what_is_needed_is_refused() -> None:
    writer = copy.deepcopy(READER)
    for branch in writer["fields"][6]["type"]:
        del branch["fields"][0]
    with pytest.raises(UnsafeSchemaError):
        compile_reader("w", writer, READER)


def test_a_reader_is_made_of_every_version_of_these_tests() -> None:
    assert all(isinstance(compile_reader("w", each, READER), Reader) for each in (AHEAD, BEHIND, without("binding")))
