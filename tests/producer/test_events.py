"""What the producer takes, the worker takes, with the same values; what it refuses is named by field, not by value."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.edges.schemas import load_schemas
from worker.model import Claim, Engine, Envelope, Event, Normal, Target
from worker.producer import Body, InvalidEventError, ProducerError, Table
from worker.producer.encoding import offline
from worker.producer.events import event
from worker.rooms import validate
from worker.rooms.decode import Decoder
from worker.rooms.normalise import normalise

DECODER = Decoder(load_schemas(None, {}), 1 << 20)
CUSTOM = Target("", "", "", Engine.CUSTOM.value)
ENCODINGS = [offline("confluent"), offline("single-object")]
ASKED: dict[str, Any] = {"fields": ["age"], "values": [[41]]}
ANSWERED = {"fields": ["prediction"], "values": [["yes"]]}
SECRET = "s3cret"  # noqa: S105 - stands for a value of somebody's

CELLS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats() | st.text(),
    lambda cells: st.lists(cells, max_size=3),
    max_leaves=4,
)


class Numpy:
    """Something of numpy, as far as the producer asks: it has its own value in Python's types."""

    def __init__(self, value: object) -> None:
        self._value = value

    def tolist(self) -> object:
        return self._value


def made(**more: Any) -> Event:
    return event(**{"asset": "loans", "request": ASKED, "response": ANSWERED, **more})


def read(found: Event, encoding: int = 0) -> Event:
    """What the worker reads of an event."""
    value = ENCODINGS[encoding].value(found)
    decoded = DECODER.event(Envelope(Claim("t", 0), 0, 0, None, value, ()))
    assert isinstance(decoded, Event), decoded
    assert validate.refusal(decoded) is None
    return decoded


@st.composite
def grids(draw: st.DrawFn) -> tuple[list[str], list[list[Any]]]:
    """Names and rows, mostly as they should be."""
    fields = draw(st.lists(st.text(max_size=5), min_size=1, max_size=3, unique=True))
    width = draw(st.just(len(fields)) | st.integers(0, 3))
    return fields, draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=3))


@given(grid=grids(), as_table=st.booleans(), encoding=st.sampled_from([0, 1]))
def test_what_the_producer_takes_the_worker_takes_with_the_same_values(
    grid: tuple[list[str], list[list[Any]]], encoding: int, *, as_table: bool
) -> None:
    fields, values = grid
    answers = [[1]] * len(values)
    content: Any = Table(fields, values) if as_table else {"fields": fields, "values": values}
    answer: Any = Table(["p"], answers) if as_table else {"fields": ["p"], "values": answers}
    try:
        sent = event(asset="a", request=content, response=answer, target=CUSTOM)
    except InvalidEventError:
        return
    found = read(sent, encoding)
    normal = normalise(found.request, found.response, CUSTOM)
    assert isinstance(normal, Normal), normal
    assert list(normal.request["fields"]) == fields
    assert json.dumps(normal.request["values"]) == json.dumps(posted(values))


@given(grid=grids())
def test_what_fits_into_the_schema_and_the_data_mart_is_taken(grid: tuple[list[str], list[list[Any]]]) -> None:
    fields, values = grid
    plain = [[None if type(cell) is list or cell != cell else cell for cell in row][: len(fields)] for row in values]  # noqa: PLR0124 - NaN
    rows = [[*row, *([None] * (len(fields) - len(row)))] for row in plain]
    good = all(
        (type(cell) is not int or -(2**63) <= cell < 2**63) and (type(cell) is not float or abs(cell) < 1e999)
        for row in rows
        for cell in row
    )
    try:
        event(asset="a", request=Table(fields, rows), response=Table(["p"], [[1]] * len(rows)))
    except InvalidEventError:
        assert not good
    else:
        assert good


def posted(values: Any) -> Any:
    """What the worker makes of values: an integer of a body that 64 bits cannot hold is a double."""
    if type(values) is list:
        return [posted(each) for each in values]
    return float(values) if type(values) is int and not -(2**63) <= values < 2**64 else values


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        ({"asset": ""}, "asset is empty"),
        ({"asset": None}, "asset: it is NoneType, not text"),
        ({"asset": 7}, "asset: it is int, not text"),
        ({"binding": 7}, "binding: it is int"),
        ({"scoring_id": ""}, "scoring_id is empty"),
        ({"scoring_id": "\ud800"}, "scoring_id: a text holds half of a surrogate pair"),
        ({"scored_at": datetime(2026, 1, 1)}, "scored_at: the datetime has no time zone"),  # noqa: DTZ001 - the mistake
        ({"scored_at": 1.5}, "scored_at: it is float"),
        ({"scored_at": True}, "scored_at: it is bool"),
        ({"scored_at": 1_560_247_200_123_456_789}, "scored_at is not between 1970 and 9999"),
        ({"response_time_ms": -1}, "response_time_ms is negative"),
        ({"response_time_ms": 12.0}, "response_time_ms: it is float"),
        ({"response_time_ms": 2**63}, "response_time_ms: it is beyond 64 bits"),
        ({"attributes": {"a": 1}}, "attributes: names and values are texts"),
        ({"request": {"age": float("nan")}}, "request: a number is not finite"),
        ({"request": {"age": {1, 2}}}, "request: it holds what JSON has no word for"),
        ({"request": f'{{"{SECRET}": '}, "request: the body is not JSON at byte"),
        ({"request": Body("text/csv", b"\xff")}, "request: the body is not UTF-8 at byte 0"),
        ({"request": Body("text/csv; charset=latin-1", b"1")}, "request: the charset of the content type is not UTF-8"),
        ({"request": Body("application/json", "text")}, "request: a Body has a content_type that is text, and data"),  # type: ignore[arg-type]
        ({"request": Table("age", [[1]])}, "request: fields is a string"),
        ({"request": Table(["age"], [[1, 2]])}, "request: values[0] has 2 cells for 1 fields"),
        ({"request": Table(["age", "age"], [[1, 2]])}, "request: the field 'age' occurs more than once"),
        ({"request": Table(["age"], [[float("inf")]])}, "request: values[0], column 'age' is not a finite number"),
        ({"request": Table(["age"], [[object()]])}, "column 'age' is neither null"),
        ({"request": Table(["age"], [[2**63]])}, "column 'age' is an integer beyond 64 bits: give it as a Body"),
        ({"request": Table(["age"], [[[[[1]]]]])}, "column 'age' is nested deeper than a Table's cell may be"),
        ({"request": Table(["age"], [["\ud800"]])}, "column 'age' holds half of a surrogate pair"),
        ({"request": Table(["age"], [41])}, "request: values[0] is not an array of cells"),
        (
            {"request": Table(["age"], [[1]], {"fields": ["a"], "values": [[[1]]]})},
            "request: meta.values[0], column 'a'",
        ),
        ({"response": Table(None, [[1]])}, "response: no fields stand beside values"),
    ],
)
def test_a_mistake_is_named_by_its_field(wrong: dict[str, Any], part: str) -> None:
    with pytest.raises(InvalidEventError) as caught:
        made(**wrong)
    assert part in str(caught.value)
    assert SECRET not in str(caught.value)


def test_rows_that_do_not_match_are_seen_where_the_form_is_known() -> None:
    two = {"fields": ["age"], "values": [[1], [2]]}
    made(request=two)
    with pytest.raises(InvalidEventError, match="request has 2 rows, response has 1") as caught:
        made(request=two, target=CUSTOM)
    assert caught.value.code == "row-counts"
    with pytest.raises(InvalidEventError, match="request has 2 rows, response has 1"):
        made(request=Table(["age"], [[1], [2]]), response=Table(["p"], [[1]]))


def test_times_are_microseconds_whatever_they_were_given_as() -> None:
    at = datetime(2019, 6, 11, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    assert read(made(scored_at=at)).scored_at == 1_560_247_200_123_456
    assert read(made(scored_at=1_560_247_200_123_456)).scored_at == 1_560_247_200_123_456
    assert read(made(scored_at=datetime(1970, 1, 1, tzinfo=UTC))).scored_at == 0
    assert read(made()).scored_at is None
    assert read(made(response_time_ms=timedelta(seconds=1.5))).response_time_ms == 1500


def test_bytes_are_passed_as_they_are() -> None:
    data = b'{ "fields": ["age"], "values": [[41.0]] }'
    for given_as in (data, data.decode(), Body("application/json", data)):
        assert read(made(request=given_as)).request == Body("application/json", data)


def test_values_of_numpy_become_pythons_own() -> None:
    rows = [Numpy([1, 0.5]), [Numpy(2), Numpy([0.25])]]
    values: Any
    for values in (rows, Numpy([[1, 0.5], [2, [0.25]]])):
        found = read(made(request=Table(["a", "b"], values), response=Table(["p"], [[1], [2]]))).request
        assert isinstance(found, Table)
        assert json.dumps([found.fields, found.values]) == '[["a", "b"], [[1, 0.5], [2, [0.25]]]]'
    assert read(made(request={"fields": ["a"], "values": Numpy([[1]])})).request == Body(
        "application/json", b'{"fields":["a"],"values":[[1]]}'
    )


def test_a_service_that_imports_the_producer_loads_neither_settings_nor_an_http_client() -> None:
    heavy = {"pydantic", "pydantic_settings", "httpx", "structlog", "typer", "rich", "tenacity", "prometheus_client"}
    script = f"import worker.producer, sys; print({heavy!r} & {{name.partition('.')[0] for name in sys.modules}})"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"


def test_a_directory_without_the_events_schema_is_told(tmp_path: Any) -> None:
    (tmp_path / "index.json").write_text('{"subjects": {}}')
    with pytest.raises(ProducerError, match="no entry is the schema"):
        offline("confluent", tmp_path)
    with pytest.raises(ProducerError, match="cannot be read"):
        offline("confluent", tmp_path / "nowhere")
    assert offline("confluent", None, 70_000).header == b"\x00\x00\x01\x11\x70"
    with pytest.raises(ProducerError, match="schema id -1"):
        offline("confluent", None, -1)
