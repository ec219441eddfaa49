"""The inner loops in C: the same as in Python, without a leak, and never beyond the bytes."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
import sysconfig
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import events
from tests.rooms import fuzz, outcomes
from worker import extension
from worker.rooms import planned
from worker.rooms.normalise import tables
from worker.rooms.shape import PLAIN, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).parents[2]
SOURCE: Final = ROOT / "worker" / "extension" / "_rooms.c"
BUILT: Final = extension.READERS == "c"
SUBJECTS: Final = fuzz.subjects()

needs_c = pytest.mark.skipif(
    not BUILT and not os.environ.get("REQUIRE_EXTENSION"),
    reason="not built: install a C compiler, make again",
)


def built() -> Any:
    assert extension.BUILT is not None
    return extension.BUILT


def reader(plan: Any) -> Callable[..., Any]:
    made: Callable[..., Any] = built().Reader(plan)
    return made


def deep(arrays: int) -> Any:
    plan: Any = ("long",)
    for _ in range(arrays):
        plan = ("array", plan)
    return plan


# --- the same as in Python -------------------------------------------------------------------------------------------


@needs_c
def test_ci_tests_what_was_built() -> None:
    assert BUILT
    assert [len(each.twins) for each in SUBJECTS] == [2, 2, 2]


@needs_c
@pytest.mark.parametrize("subject", SUBJECTS, ids=["event", "everything", "wide"])
def test_every_truncation_is_refused(subject: fuzz.Subject) -> None:
    for seed in range(3):
        value = fuzz.Writer(fuzz.chance_of(seed), subject.named, 0).write(subject.schema)
        for read, _ in subject.twins:
            assert {fuzz.exactly(read, value[:length]) for length in range(len(value))} == {fuzz.REFUSED}


def _cells() -> st.SearchStrategy[Any]:
    odd: list[Any] = [math.nan, math.inf, -math.inf, b"x", {"a": 1}, 2**64, -(2**63) - 1, 2**80, -(2**80), object()]
    least = st.sampled_from([2**64 - 1, 2**63, -(2**63), -1, 0])
    cell = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | least | st.sampled_from(odd)
    return st.lists(st.recursive(cell, lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner)), max_size=4)


@needs_c
@given(cells=_cells(), room=st.integers(1, 5))
def test_cells_are_sound_exactly_where_python_finds_no_flaw(cells: list[Any], room: int) -> None:
    sound = built().sound
    assert sound(cells, room) is (tables.first_flaw(cells, room) is None)
    assert sound(tuple(cells), room) is (tables.first_flaw(tuple(cells), room) is None)


@needs_c
@given(values=st.lists(_cells() | st.none(), max_size=3), width=st.integers(0, 4))
def test_rows_are_good_exactly_where_all_are_of_the_width_and_sound(values: list[Any], width: int) -> None:
    good = all(isinstance(row, list) and len(row) == width and tables.first_flaw(row, 4) is None for row in values)
    assert built().rows(values, width, 4) is good
    assert built().rows([row and tuple(row) for row in values], width, 4) is good


@needs_c
def test_a_row_may_be_as_deep_as_python_lets_it_and_no_deeper() -> None:
    sound = built().sound
    for depth in (tables.MAX_DEPTH - 1, tables.MAX_DEPTH, tables.MAX_DEPTH + 1, 5_000):
        row: list[Any] = [1]
        for _ in range(depth - 1):
            row = [row]
        assert sound(row, tables.MAX_DEPTH) is (depth <= tables.MAX_DEPTH)


def test_rows_and_refusals_are_the_same_without_the_c() -> None:
    command, bare = [sys.executable, "-m", "tests.rooms.outcomes"], os.environ | {extension.SWITCH: "1"}
    pure = subprocess.run(command, env=bare, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    assert pure.stdout.split() == ["python", outcomes.digest()]


@needs_c
def test_tables_of_sound_events_are_vouched_for() -> None:
    read, _ = SUBJECTS[0].twins[1]
    found = read(next(events.values("typed", 1)), len(events.FRAMING))
    assert (found.request.sound, found.response.sound) == (True, True)


# --- lists that are kept ---------------------------------------------------------------------------------------------


def strings(*texts: str) -> bytes:
    write = fuzz.Writer(fuzz.chance_of(1), {}, 0).long
    items = b"".join(write(len(text.encode())) + text.encode() for text in texts)
    return (write(len(texts)) + items if texts else b"") + b"\0"


@needs_c
def test_names_are_what_they_were_written_as_however_many_there_are() -> None:
    read, chance = reader(("names",)), fuzz.chance_of(3)
    lists = [[f"column-{at}-{chance.randrange(4)}" for at in range(chance.randrange(1, 9))] for _ in range(300)]
    for each in chance.choices(lists, k=5_000):
        assert read(strings(*each), 0) == each


@needs_c
def test_names_of_the_same_bytes_are_the_same_list_and_none_are_none() -> None:
    read = reader(("names",))
    long = [f"a long name of column {at}" for at in range(500)]
    assert read(strings("a", "b"), 0) is read(b"xy" + strings("a", "b"), 2)
    assert read(strings(*long), 0) == read(strings(*long), 0) == long
    assert read(strings(), 0) is None
    assert read(strings("a", "b"), 0) == ["a", "b"]


@needs_c
def test_names_that_only_begin_as_kept_ones_are_read_anew() -> None:
    read = reader(("record", (("names",), ("string",)), None, (0, 1), ("names", "rest")))
    kept = strings("a", "b")
    assert read(kept + b"\x02c", 0) == {"names": ["a", "b"], "rest": "c"}
    with pytest.raises(ValueError, match="cut"):
        read(kept[:-1], 0)
    more = kept[:-1] + strings("c")
    assert read(more + b"\x02d", 0) == {"names": ["a", "b", "c"], "rest": "d"}


# --- plans -----------------------------------------------------------------------------------------------------------


@needs_c
@pytest.mark.parametrize(
    "plan",
    [
        None,
        (),
        ("nonsense",),
        (7,),
        ("\ud800",),
        ("array",),
        ("array", "long"),
        ("union", ["long"]),
        ("enum", "ab"),
        ("fixed", "x"),
        ("record", (("long",),), None, (0,)),
        ("record", (("long",),), None, (0, 1), ("a",)),
        ("record", (("long",), ("long",)), None, (0, 0), ("a", "b")),
        ("record", (("long",),), None, (1,), ("a",)),
        ("record", (("long",),), None, (-1,), ("a",)),
        ("record", (("long",),), None, ("x",), ("a",)),
        ("record", (("long",), ("array", ("nonsense",))), None, (0, 1), ("a", "b")),
        deep(600),
    ],
)
def test_what_is_no_plan_is_refused(plan: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        reader(plan)


@needs_c
def test_a_reader_takes_bytes_and_a_position_in_them() -> None:
    read = reader(("long",))
    for wrong in [(), (b"\0",), (b"\0", 0, 0), ("x", 0), (b"\0", "x"), (bytearray(1), 0)]:
        with pytest.raises(TypeError):
            read(*wrong)
    for at in (-1, 3):
        with pytest.raises(ValueError, match="position"):
            read(b"\0\0", at)


@needs_c
def test_a_plan_is_only_made_for_what_is_safe_to_read() -> None:
    for schema in (
        {"type": "array", "items": "null"},
        {"type": "long", "logicalType": "timestamp-millis"},
        {"type": "record", "name": "R", "fields": [{"name": "r", "type": ["null", "R"]}]},
        "unknown",
    ):
        with pytest.raises(UnsupportedError):
            planned.reader(schema, {"R": schema}, fuzz.FINITE)
    with pytest.raises(UnsupportedError):
        planned.reader("long", {}, PLAIN)


# --- memory ----------------------------------------------------------------------------------------------------------


def growth(work: Callable[[], object]) -> int:
    """Blocks of memory that a hundred times of this leave behind; the least of three: other threads take some too."""
    work()
    return min(_growth(work) for _ in range(3))


def _growth(work: Callable[[], object]) -> int:
    before = sys.getallocatedblocks()
    for _ in range(100):
        work()
    return sys.getallocatedblocks() - before


@needs_c
@pytest.mark.parametrize("subject", SUBJECTS, ids=["event", "everything", "wide"])
def test_nothing_is_left_of_messages_good_or_broken(subject: fuzz.Subject) -> None:
    values = [each for at in range(8) for each in fuzz.messages(fuzz.chance_of(at), subject)][:100]

    def read_all() -> None:
        for read, _ in subject.twins:
            for value in values:
                with suppress(ValueError):
                    read(value, 0)

    assert growth(read_all) < 20


@needs_c
@pytest.mark.parametrize(
    ("plan", "value"),
    [
        (("array", ("string",)), b"\x02\x02a"),
        (("array", ("string",)), b"\x02\x02a\x02"),
        (("array", ("string",)), b"\x04\x02a\x02\xff\x00"),
        (("map", ("string",)), b"\x02\x02a\x02b"),
        (("map", ("string",)), b"\x02\x02a\x02\xff\x00"),
        (("map", ("string",)), b"\x02\x02\xff\x02a\x00"),
        (("names",), b"\x00"),
        (("names",), b"\x02\x02\xff\x00"),
        (("names",), b"\x02\x06abc"),
        (("record", (("string",), ("long",)), None, (0, 1), ("a", "b")), b"\x02a"),
        (("record", (("string",), ("string",)), lambda *parts: parts, (-1, 0), ("c",)), b"\x06abc\x06def"),
        (("record", (("string",), ("string",)), lambda: None, (-1, 0), ()), b"\x06abc\x06def"),
        (("union", (("string",),)), b"\x02"),
    ],
)
def test_nothing_is_left_of_a_reader_and_of_what_it_read_or_refused(plan: Any, value: bytes) -> None:
    def make_and_read() -> None:
        read = reader(plan)
        for _ in range(2):
            with suppress(ValueError, TypeError):
                read(value, 0)
            with suppress(ValueError, TypeError):
                reader(("array", ("record", (plan, ("array", ("nonsense",))), None, (0, 1), ("a", "b"))))

    assert growth(make_and_read) < 20


@needs_c
def test_a_reader_that_is_gone_holds_nothing_of_its_plan() -> None:
    symbol, constant = object(), object()

    def make(*parts: object) -> object:
        return parts

    def holders() -> list[int]:
        return [sys.getrefcount(each) for each in (make, symbol, constant)]

    before = holders()
    read = reader(("record", (("enum", (symbol,)),), make, (0,), (constant,)))
    assert read(b"\0", 0) == (symbol, constant)
    assert all(now > then for now, then in zip(holders(), before, strict=True))
    del read
    assert holders() == before


@needs_c
@pytest.mark.parametrize("count", [1 << 20, 1 << 40, (1 << 63) - 1, -(1 << 40), -(1 << 63)])
def test_an_array_that_claims_more_than_there_is_takes_no_memory(count: int) -> None:
    value = fuzz.Writer(fuzz.chance_of(0), {}, 0).long(count) + b"\x02" * 1_000
    for plan in (("array", ("long",)), ("map", ("long",)), ("names",), ("array", ("array", ("boolean",)))):
        read = reader(plan)
        tracemalloc.start()
        try:
            with pytest.raises(ValueError, match="than bytes"):
                read(value, 0)
            assert tracemalloc.get_traced_memory()[1] < 100_000
        finally:
            tracemalloc.stop()


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc and its sanitizers")
def test_no_byte_is_touched_that_is_not_the_messages_own(tmp_path: Path) -> None:
    """The same fuzz, with the C built so that reading beyond the bytes, or after they are gone, ends the process."""
    runtime = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    if not Path(runtime.stdout.strip()).is_absolute():
        pytest.skip("gcc has no address sanitizer here")
    shutil.copytree(ROOT / "worker", tmp_path / "worker", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    for name in ("tests", "schemas"):
        (tmp_path / name).symlink_to(ROOT / name)
    module = tmp_path / "worker" / "extension" / f"_rooms{sysconfig.get_config_var('EXT_SUFFIX')}"
    flags = ["-O1", "-g", "-fPIC", "-shared", "-fsanitize=address,undefined", "-fno-sanitize-recover"]
    include = f"-I{sysconfig.get_path('include')}"
    subprocess.run(["gcc", *flags, "-Wall", "-Wextra", "-Werror", include, SOURCE, "-o", module], check=True)
    sanitized = {"LD_PRELOAD": runtime.stdout.strip(), "ASAN_OPTIONS": "detect_leaks=0", "PYTHONMALLOC": "malloc"}
    command = [sys.executable, "-m", "tests.rooms.fuzz", "--messages", "2000", "--seed", "77"]
    ran = subprocess.run(command, cwd=tmp_path, env=os.environ | sanitized, capture_output=True, text=True, check=False)
    assert (ran.returncode, "readers: c" in ran.stdout) == (0, True), ran.stderr[-2_000:]
