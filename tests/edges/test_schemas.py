"""The schema directory on disk: what is loaded by which name, and what is refused with the file's name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from worker.edges.schemas import SchemaDirectoryError, load_schemas, reader_schema, shipped
from worker.rooms.framing import Fingerprint, GlueVersion, SchemaGuid, SchemaId, TopicSchema

if TYPE_CHECKING:
    from pathlib import Path

READER = reader_schema()
LESS = READER | {"fields": [field for field in READER["fields"] if field["name"] != "attributes"]}


def directory(place: Path, subjects: Any, **files: Any) -> Path:
    (place / "index.json").write_text(json.dumps({"subjects": subjects}))
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (place / f"{name}.avsc").write_text(text)
    return place


def entry(version: int, number: int, file: str) -> dict[str, Any]:
    return {"version": version, "id": number, "file": f"{file}.avsc"}


def fault(place: Path, bare: dict[str, str] | None = None) -> str:
    with pytest.raises(SchemaDirectoryError) as caught:
        load_schemas(place, bare or {})
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_ships_is_loaded_by_id_and_fingerprint() -> None:
    book = load_schemas(None, {})
    (fingerprint,) = [each for each in book.readers if isinstance(each, Fingerprint)]
    assert book.readers.keys() == {SchemaId(1), fingerprint}
    assert book.readers[SchemaId(1)].fingerprint == fingerprint.value
    assert (shipped() / "index.json").is_file()


def test_a_bare_topic_has_the_latest_version_by_number_or_the_one_that_is_named(tmp_path: Path) -> None:
    place = directory(
        tmp_path, {"events": [entry(10, 110, "new"), entry(9, 109, "old"), entry(1, 101, "old")]}, new=READER, old=LESS
    )
    book = load_schemas(place, {"latest": "events", "pinned": "events/9"})
    assert book.readers[TopicSchema("latest")].name == "events/10"
    assert book.readers[TopicSchema("pinned")].name == "events/9"
    assert {each.id for each in book.readers if isinstance(each, SchemaId)} == {101, 109, 110}
    assert book.bare("latest")
    assert not book.bare("other")


@pytest.mark.parametrize("name", ["nothing", "events/2", "events/", ""])
def test_a_bare_topic_that_names_nothing_is_refused(tmp_path: Path, name: str) -> None:
    found = fault(directory(tmp_path, {"events": [entry(1, 1, "a")]}, a=READER), {"orders": name})
    assert "topic orders" in found
    assert "index.json" in found


@pytest.mark.parametrize(
    "subjects",
    [
        5,
        None,
        {"events": 5},
        {"events": [{}]},
        {"events": [5]},
        {"events": {"version": 1}},
        {"events": [{"version": "one", "id": 1, "file": "a"}]},
        {"events": [{"version": 1, "id": None, "file": "a"}]},
    ],
)
def test_an_index_of_another_shape_is_refused_with_the_shape_it_should_have(tmp_path: Path, subjects: Any) -> None:
    found = fault(directory(tmp_path, subjects))
    assert "index.json: expected" in found


@pytest.mark.parametrize("text", ["", "{", "[]", '{"subject": {}}'])
def test_an_index_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "index.json").write_text(text)
    assert "index.json" in fault(tmp_path)


def test_a_directory_or_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "index.json: cannot be read (No such file or directory)" in fault(tmp_path / "nowhere")
    assert "gone.avsc: cannot be read" in fault(directory(tmp_path, {"events": [entry(1, 1, "gone")]}))


@pytest.mark.parametrize(
    ("schema", "part"),
    [
        ("{", "not JSON"),
        ("\x00", "not JSON"),
        ('{"type":"nothing"}', "not an Avro schema"),
        ({"type": "record", "name": "R", "fields": [{"name": "r", "type": ["null", "R"]}]}, "recursive"),
        (
            {"type": "record", "name": "R", "fields": [{"name": "a", "type": {"type": "array", "items": "null"}}]},
            "of no bytes",
        ),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_in_one_line_with_its_file(
    tmp_path: Path, schema: Any, part: str
) -> None:
    found = fault(directory(tmp_path, {"events": [entry(1, 1, "bad")]}, bad=schema))
    assert "bad.avsc: " in found
    assert part in found


def test_an_id_of_two_schemas_is_refused(tmp_path: Path) -> None:
    fault(directory(tmp_path, {"a": [entry(1, 7, "a")], "b": [entry(1, 7, "b")]}, a=READER, b=LESS))


def test_a_fingerprint_of_two_schemas_that_read_otherwise_is_refused(tmp_path: Path) -> None:
    """Avro's fingerprint is the same for timestamp-micros and timestamp-millis, so a single object cannot tell."""
    millis = json.loads(json.dumps(READER).replace("timestamp-micros", "timestamp-millis"))
    fault(directory(tmp_path, {"a": [entry(1, 1, "a"), entry(2, 2, "b")]}, a=READER, b=millis))


def test_the_same_schema_under_two_ids_is_one_reader_by_fingerprint(tmp_path: Path) -> None:
    place = directory(tmp_path, {"a": [entry(1, 1, "a")], "b": [entry(1, 2, "a")]}, a=READER)
    assert len(load_schemas(place, {}).readers) == 3


def test_a_guid_and_the_uuid_of_a_glue_version_name_a_schema_as_well(tmp_path: Path) -> None:
    one, two = UUID(int=1), UUID(int=2)
    place = directory(tmp_path, {"a": [entry(1, 1, "a") | {"guid": str(one), "uuid": str(two)}]}, a=READER)
    book = load_schemas(place, {})
    assert book.readers[SchemaGuid(one)] is book.readers[GlueVersion(two)] is book.readers[SchemaId(1)]
    assert SchemaGuid(two) not in book.readers


@pytest.mark.parametrize("key", ["guid", "uuid"])
@pytest.mark.parametrize("value", ["", "x", 5, None, ["a"]])
def test_a_guid_that_is_none_is_refused(tmp_path: Path, key: str, value: Any) -> None:
    assert "as UUIDs" in fault(directory(tmp_path, {"a": [entry(1, 1, "a") | {key: value}]}, a=READER))


def test_beside_a_registry_the_ids_of_ones_own_directory_count_and_those_that_ship_do_not(tmp_path: Path) -> None:
    place = directory(tmp_path, {"a": [entry(1, 7, "a")]}, a=READER)
    assert SchemaId(7) in load_schemas(place, {}, asks=True).readers
    assert not any(isinstance(each, SchemaId) for each in load_schemas(None, {}, asks=True).readers)
    assert load_schemas(None, {"t": "payload_event"}, asks=True).bare("t")
