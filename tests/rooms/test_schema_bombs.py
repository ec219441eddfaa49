"""Writer schemas that are small and cost much: refused when they are loaded, wherever they are loaded from."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from tests.rooms.schemas import AHEAD, BEHIND, ENDLESS, RECURSIVE, doubling, grown
from worker.cli import app
from worker.edges.schemas import SchemaDirectoryError, load_schemas, reader_schema
from worker.rooms.writer_schema import UnsafeSchemaError, compile_reader

if TYPE_CHECKING:
    from pathlib import Path


def record(name: str, *types: Any) -> dict[str, Any]:
    return {
        "type": "record",
        "name": name,
        "fields": [{"name": f"f{at}", "type": each} for at, each in enumerate(types)],
    }


def array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def more(kind: Any) -> Any:
    """The event's schema with one more field."""
    return grown({"name": "more", "type": kind})


WIDE = record("W", "boolean", *["null"] * 200)
BOMBS: dict[str, Any] = {
    "values of no bytes": more(doubling(40, record("Z"))),
    "values of a byte": more(doubling(40, record("Z", "boolean"))),
    "behind a union": more(["null", doubling(40, record("Z", "int"))]),
    "a fixed of a terabyte": more({"type": "fixed", "name": "F", "size": 1 << 40}),
    "many fixed": more(record("M", {"type": "fixed", "name": "F", "size": 1 << 26}, "F", "F")),
    "wide items": more(array(WIDE)),
    "wide values of a map": more({"type": "map", "values": WIDE}),
    "items that may be wide": more(array(["null", record("W", *["null"] * 200)])),
    "wide items within items": more(array(array(record("V", "int", WIDE)))),
}
REFUSED: dict[str, Any] = {"recursive": RECURSIVE, "items of no bytes": ENDLESS} | BOMBS


@pytest.mark.parametrize("schema", BOMBS.values(), ids=BOMBS)
def test_a_schema_that_makes_much_of_little_is_refused(schema: Any) -> None:
    with pytest.raises(UnsafeSchemaError, match=r"written out|hardly any bytes"):
        compile_reader("w", schema, reader_schema())


FEATURE = record("Feature", ["null", "double"])


@pytest.mark.parametrize(
    "schema",
    [
        reader_schema(),
        AHEAD,
        BEHIND,
        more(record("Store", FEATURE, *["Feature"] * 3000)),
        more(array(record("Row", FEATURE, *["Feature"] * 3000))),
        more(array(["null", record("R", *["int"] * 500)])),
        more({"type": "map", "values": "null"}),
        more({"type": "fixed", "name": "F", "size": 1 << 20}),
        more(doubling(8, record("Z", "string"))),
    ],
)
def test_a_large_schema_whose_values_take_bytes_is_not(schema: Any) -> None:
    compile_reader("w", schema, reader_schema())


@pytest.mark.parametrize("schema", REFUSED.values(), ids=REFUSED)
def test_it_is_refused_when_a_directory_is_loaded_and_the_file_is_named(schema: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.avsc").write_text(json.dumps(schema))
    entry = {"version": 1, "id": 5, "file": "bad.avsc"}
    (tmp_path / "index.json").write_text(json.dumps({"subjects": {"events": [entry]}}))
    with pytest.raises(SchemaDirectoryError, match=r"bad\.avsc.*(recursive|no bytes|written out|hardly any)"):
        load_schemas(tmp_path, {})


@pytest.mark.parametrize("schema", REFUSED.values(), ids=REFUSED)
def test_schema_check_says_so(schema: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.avsc").write_text(json.dumps(schema))
    done = CliRunner().invoke(app, ["schema", "check", str(tmp_path / "bad.avsc")])
    assert done.exit_code == 65, done.output
    assert any(word in done.output for word in ("recursive", "no bytes", "written out", "hardly any"))


LOADS = """
import json, resource, sys
from worker.edges.schemas import reader_schema
from worker.rooms.writer_schema import UnsafeSchemaError, compile_reader

resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
refused = 0
for each in json.load(open(sys.argv[1])):
    try:
        compile_reader("w", each, reader_schema())
    except UnsafeSchemaError as error:
        refused += "MemoryError" not in str(error)
# not ru_maxrss, which a process inherits from the one that started it
print(refused, next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def test_to_refuse_them_takes_neither_memory_nor_time(tmp_path: Path) -> None:
    """In a process of a gigabyte: the terabyte's fixed and the million million values are never made."""
    (tmp_path / "bombs.json").write_text(json.dumps(list(REFUSED.values())))
    command = [sys.executable, "-c", LOADS, str(tmp_path / "bombs.json")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    refused, peak = map(int, done.stdout.split())
    assert refused == len(REFUSED)
    assert peak < 300 * 1024
