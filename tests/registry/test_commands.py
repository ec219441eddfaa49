"""`payload-worker schema`: what is said of schemas, and the exit code that goes with it, against a real registry."""

from __future__ import annotations

import json
import os
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from tests.edges.peer import answer, peer
from tests.rooms.schemas import AHEAD, RECURSIVE, without
from worker.cli import app
from worker.config import PREFIX
from worker.edges.schemas import reader_schema, shipped

if TYPE_CHECKING:
    from pathlib import Path

    from tests.registry.apicurio import Apicurio

SHIPPED = shipped() / "payload_event.avsc"


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv(f"{PREFIX}MART__TOKEN", "t")


def schema(*words: object, url: str | None = None) -> tuple[int, str]:
    """Exit code and all that is printed."""
    urls = {f"{PREFIX}SCHEMAS__REGISTRY__URLS": json.dumps([url])} if url else {}
    found = CliRunner().invoke(app, ["schema", *map(str, words)], env=urls)
    return found.exit_code, found.output


def written(place: Path, content: Any) -> Path:
    file = place / "schema.avsc"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def _subject() -> str:
    return f"commands-{uuid.uuid4().hex[:8]}"


def test_a_schema_is_registered_listed_and_shown(apicurio: Apicurio, tmp_path: Path) -> None:
    subject = _subject()
    code, said = schema("register", SHIPPED, "--subject", subject, url=apicurio.url)
    assert code == 0, said
    number = said.split()[-1]
    assert schema("register", written(tmp_path, AHEAD), "-s", subject, url=apicurio.url)[0] == 0
    listed = schema("show", subject, url=apicurio.url)[1].splitlines()
    assert listed[0] == f"{subject}  version 1  id {number}"
    assert len(listed) == 2
    assert listed[0] in schema("show", url=apicurio.url)[1].splitlines()
    assert json.loads(schema("show", number, url=apicurio.url)[1]) == reader_schema()


def test_a_schema_that_is_not_compatible_is_told_and_not_registered(apicurio: Apicurio, tmp_path: Path) -> None:
    subject = _subject()
    schema("register", SHIPPED, "-s", subject, url=apicurio.url)
    apicurio.configure(subject, "BACKWARD_TRANSITIVE")
    good = schema("check", written(tmp_path, AHEAD), "-s", subject, url=apicurio.url)
    assert good == (0, f"ok    readable: events written with it can be read\nok    compatible: {subject} takes it\n")
    renamed = without("attributes")
    renamed["fields"].append({"name": "team", "type": "string"})
    code, said = schema("check", written(tmp_path, renamed), "-s", subject, url=apicurio.url)
    assert code == 65
    assert "team" in said
    assert schema("register", tmp_path / "schema.avsc", "-s", subject, url=apicurio.url)[0] == 65
    assert len(schema("show", subject, url=apicurio.url)[1].splitlines()) == 1


def test_what_is_not_there_is_65(apicurio: Apicurio) -> None:
    assert schema("show", "nobody", url=apicurio.url) == (
        65,
        "payload-worker: nobody: the registry has no such subject\n",
    )
    assert schema("show", "2000000000", url=apicurio.url)[0] == 65


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("{", "not JSON"),
        (RECURSIVE, "recursive"),
        ('"string"', "cannot be read as events"),
        ('{"type": 5}', "not an Avro"),
    ],
)
def test_a_schema_that_events_cannot_be_read_with_is_65_and_is_not_sent(
    content: Any, word: str, tmp_path: Path
) -> None:
    for command in ("check", "register"):
        code, said = schema(command, written(tmp_path, content), "--subject", "s", url="http://127.0.0.1:1")
        assert code == 65
        assert word in said


def test_a_file_that_is_not_there_is_65(tmp_path: Path) -> None:
    assert schema("check", tmp_path / "none.avsc")[0] == 65


def test_without_a_registry_the_directory_is_shown_and_nothing_can_be_registered() -> None:
    assert schema("show") == (0, "payload_event  version 1  id 1\n")
    assert schema("show", "payload_event") == (0, "payload_event  version 1  id 1\n")
    assert json.loads(schema("show", 1)[1]) == reader_schema()
    assert schema("show", 7)[0] == 65
    assert schema("show", "other")[0] == 65
    assert schema("check", SHIPPED)[0] == 0
    assert schema("register", SHIPPED, "-s", "x")[0] == 78


def test_a_registry_out_of_reach_is_69_and_one_that_refuses_the_credentials_78() -> None:
    assert schema("show", url="http://127.0.0.1:1")[0] == 69
    with peer(lambda connection: connection.sendall(answer(401, b"{}"))) as other:
        assert schema("show", url=f"http://127.0.0.1:{other.port}")[0] == 78
    with peer(lambda connection: connection.sendall(answer(200, b'{"a": 1}'))) as other:
        assert schema("register", SHIPPED, "-s", "x", url=f"http://127.0.0.1:{other.port}")[0] == 69
