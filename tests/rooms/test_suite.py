"""All rooms in their order: every record comes out exactly once, whatever it holds."""

from __future__ import annotations

import json
import uuid
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.way.events import body, confluent, custom, event
from worker.edges.schemas import load_schemas
from worker.model import Claim, Engine, Envelope
from worker.rooms.decode import Decoder
from worker.rooms.directory import Binding, Directory, Subscription
from worker.rooms.identity import NAMESPACE, Identity
from worker.rooms.suite import Passed, Suite

CLAIM = Claim("t", 2)
SUITE = Suite(Decoder(load_schemas(None, {}), 100_000), Identity("c", {}), 4096)
ENGINES = [*(engine.value for engine in Engine), "watson_machine_learning"]
DIRECTORY = Directory(
    [Binding(engine, engine, engine) for engine in ENGINES],
    [Subscription(f"s-{engine}", engine, engine, "", (), ("a", "b"), logging_enabled=True) for engine in ENGINES]
    + [Subscription("off", ENGINES[0], "silent", "", (), (), logging_enabled=False)],
    0,
)
REQUEST, RESPONSE = body({"fields": ["a"], "values": [[1]]}), body({"fields": ["p"], "values": [[2]]})


def walk(*values: bytes | None, suite: Suite = SUITE) -> Passed:
    envelopes = [Envelope(CLAIM, offset, 1000, None, value, ()) for offset, value in enumerate(values)]
    passed = suite.walk(envelopes, DIRECTORY)
    found = [row.envelope for row in passed.rows]
    found += [each.envelope for each in passed.rejected + passed.unknown]
    assert sorted(each.offset for each in found) == list(range(len(values))), "each comes out exactly once"
    assert all(each is envelopes[each.offset] for each in found)
    return passed


def good(**more: Any) -> bytes:
    return confluent(event(ENGINES[0], REQUEST, RESPONSE, **more))


def test_each_room_refuses_its_own_and_the_neighbours_go_on() -> None:
    passed = walk(
        good(),
        None,
        confluent(event("", REQUEST, RESPONSE)),
        confluent(event("nobody", REQUEST, RESPONSE)),
        confluent(event("silent", REQUEST, RESPONSE)),
        confluent(event(ENGINES[0], body(b"{"), RESPONSE)),
        good(scoring_id="given"),
    )
    assert [row.envelope.offset for row in passed.rows] == [0, 6]
    assert [each.refusal.code for each in passed.rejected] == ["tombstone", "asset-missing", "not-json"]
    assert [each.refusal.code for each in passed.unknown] == ["unknown-asset", "logging-disabled"]


def test_an_id_is_the_given_one_else_that_of_the_place() -> None:
    passed = walk(good(), good(scoring_id="given"))
    ids = [json.loads(row.payload)["scoring_id"] for row in passed.rows]
    assert ids == [str(uuid.uuid5(NAMESPACE, "c/t/2/0")), "given"]
    assert {row.subscription_id for row in passed.rows} == {f"s-{ENGINES[0]}"}


def test_a_record_of_the_limit_passes_and_one_more_byte_does_not() -> None:
    size = len(walk(good(scoring_id="")[:-1], good(scoring_id="x")).rows[0].payload) - 1
    passed = walk(good(scoring_id="x" * (4096 - size)), good(scoring_id="x" * (4097 - size)))
    assert [len(row.payload) for row in passed.rows] == [4096]
    (rejection,) = passed.rejected
    assert (rejection.refusal.disposition, rejection.refusal.code) == ("too-large", "record-too-large")
    assert "4097 bytes" in rejection.refusal.detail


def test_what_other_fields_are_refused_for_is_seen_before_the_directory() -> None:
    assert [each.refusal.code for each in walk(confluent(event("nobody", REQUEST, RESPONSE, scored_at=-1))).rejected]


KEYS = "fields values meta labels predictions instances features input output Inputs Results input1 output1 value a b"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS.split()),
            inner,
            max_size=3,
        )
    ),
    max_leaves=10,
)
TYPES = st.sampled_from(["application/json", "text/csv", "application/jsonlines", "", "text/csv; charset=latin-1"])
BODIES = st.builds(body, JSON.map(lambda found: json.dumps(found).encode()) | st.binary(max_size=30), TYPES)
CELLS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=3)
TABLES = st.builds(
    lambda fields, values: {"fields": fields, "values": values, "meta": None},
    st.lists(st.sampled_from(["a", "b", ""]), max_size=2),
    st.lists(st.lists(CELLS | st.lists(CELLS, max_size=2), max_size=2), max_size=2),
)


@pytest.mark.parametrize("engine", ENGINES)
@given(request_body=BODIES | TABLES, response_body=BODIES | TABLES)
def test_no_content_ends_the_worker(engine: str, request_body: Any, response_body: Any) -> None:
    passed = walk(confluent(event(engine, request_body, response_body)))
    for row in passed.rows:
        record = orjson.loads(row.payload)
        assert record["request"].keys() <= {"fields", "values", "meta"}
        assert len(record["request"]["values"]) == len(record["response"]["values"])


@pytest.mark.parametrize("depth", [31, 32, 33, 250, 254, 260, 1000, 2000])
@pytest.mark.parametrize("engine", ENGINES)
def test_no_depth_of_nesting_ends_the_worker(engine: str, depth: int) -> None:
    nested = b"[" * depth + b"]" * depth
    for data in (
        b'{"fields":["a"],"values":[[' + nested + b"]]}",
        b'{"input":[{"a":' + nested + b"}]}",
        b'{"Inputs":{"input1":[{"a":' + nested + b"}]}}",
        b'{"instances":[' + nested + b"]}",
        b'{"values":' + nested + b"}",
        b'{"fields":["a"],"values":[[1]],"meta":{"fields":["m"],"values":[[' + nested + b"]]}}",
    ):
        walk(confluent(event(engine, body(data), RESPONSE)), confluent(event(engine, REQUEST, body(data))))


def test_an_empty_chunk_is_nothing() -> None:
    assert walk() == Passed()


def test_a_custom_event_becomes_its_row() -> None:
    (row,) = walk(confluent(custom(asset=ENGINES[0]))).rows
    record = json.loads(row.payload)
    assert record["request"]["values"] == [[0, 37.5, None, "sector 0"]]
    assert record["deployment_id"] == "generic_deployment"


class Faulty(Identity):
    """Has a fault of its own at some offsets, in a call of its own, with a value in the error's text."""

    def __init__(self, error: BaseException, *offsets: int) -> None:
        super().__init__("c", {})
        self.error = error
        self.offsets = offsets

    def scoring_id(self, envelope: Envelope) -> str:
        if envelope.offset in self.offsets:
            raise self.error
        return super().scoring_id(envelope)


def faulty(error: BaseException, *offsets: int) -> Suite:
    return Suite(SUITE.decoder, Faulty(error, *offsets), SUITE.record_limit)


FAULTS = [KeyError("a secret"), RecursionError("a secret"), UnicodeDecodeError("utf-8", b"a secret", 0, 1, "a secret")]


@pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
def test_a_fault_of_the_worker_costs_the_record_and_not_its_neighbours(error: Exception) -> None:
    passed = walk(good(), good(), good(), suite=faulty(error, 1))
    assert [row.envelope.offset for row in passed.rows] == [0, 2]
    (rejection,) = passed.rejected
    assert rejection.refusal.code == "internal-error"
    assert rejection.envelope.offset == 1


def test_a_fault_is_told_by_its_kind_and_place_and_never_by_a_value() -> None:
    (rejection,) = walk(good(), suite=faulty(KeyError("a secret"), 0)).rejected
    detail = rejection.refusal.detail
    assert f"KeyError in {__name__}:" in detail
    assert "secret" not in detail


def test_a_fault_in_every_record_is_a_refusal_of_each_and_ends_nothing() -> None:
    passed = walk(*[good()] * 50, suite=faulty(ZeroDivisionError(), *range(50)))
    assert len(passed.rejected) == 50


@pytest.mark.parametrize(
    "error", [MemoryError(), KeyboardInterrupt(), SystemExit()], ids=lambda error: type(error).__name__
)
def test_what_is_no_fault_of_a_record_is_not_held_against_it(error: BaseException) -> None:
    with pytest.raises(type(error)):
        walk(good(), good(), suite=faulty(error, 1))


def test_what_the_directory_does_not_know_says_what_was_wanted() -> None:
    passed = walk(
        confluent(event("nobody", REQUEST, RESPONSE, binding="b", deployment="d")),
        confluent(event("silent", REQUEST, RESPONSE)),
    )
    assert [each.wanted for each in passed.unknown] == [("b", "nobody", "d"), (None, "silent", None)]
