"""Where credentials come from, and what is said where they are not what an engine needs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from worker.control.credentials import database_credentials, engine_credentials
from worker.control.engines import ENGINES, EngineName
from worker.control.errors import CONFIG, ControlError

if TYPE_CHECKING:
    from pathlib import Path

    from worker.control.engines import Credential

CUSTOM, STUDIO, SAGEMAKER = (ENGINES[EngineName(name)] for name in ("custom", "azure-studio", "sagemaker"))
AWS = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_DEFAULT_REGION": "us-east-1"}
AZURE = {"client_id": "c", "client_secret": "s3cret", "subscription_id": "s", "tenant": "t"}


def written(path: Path, found: Any) -> Path:
    path.write_text(found if isinstance(found, str) else json.dumps(found))
    return path


def refused(found: Any, path: Path, engine: Any = STUDIO) -> str:
    """What is said of a file with these credentials."""
    with pytest.raises(ControlError) as caught:
        engine_credentials(engine, written(path, found), {}, None)
    assert caught.value.code == CONFIG
    return str(caught.value)


def test_the_environments_variables_are_those_that_people_have_already() -> None:
    assert engine_credentials(SAGEMAKER, None, AWS, None).values == {
        "access_key_id": "id",
        "secret_access_key": "key",
        "region": "us-east-1",
    }
    better = AWS | {"AWS_REGION": "eu-west-1"}
    assert engine_credentials(SAGEMAKER, None, better, None).values["region"] == "eu-west-1"


def test_a_variable_may_name_a_file(tmp_path: Path) -> None:
    file = written(tmp_path / "key", "from a file\n")
    named = AWS | {"AWS_SECRET_ACCESS_KEY": "", "AWS_SECRET_ACCESS_KEY_FILE": str(file)}
    assert "from a file" in engine_credentials(SAGEMAKER, None, named, None).values.values()
    with pytest.raises(ControlError, match=r"AWS_SECRET_ACCESS_KEY_FILE: cannot read .*nowhere: No such file"):
        engine_credentials(SAGEMAKER, None, named | {"AWS_SECRET_ACCESS_KEY_FILE": str(tmp_path / "nowhere")}, None)


@pytest.mark.parametrize("name", ["c.json", "c"])
def test_a_file_of_json_is_taken(tmp_path: Path, name: str) -> None:
    assert engine_credentials(STUDIO, written(tmp_path / name, AZURE), {}, None).values == AZURE


def test_a_file_of_toml_may_refer_to_where_secrets_are(tmp_path: Path) -> None:
    written(tmp_path / "secret", "s3cret\n")
    text = 'client_id="c"\nsubscription_id={ env = "S" }\ntenant="t"\nclient_secret = { file = "secret" }\n'
    file = written(tmp_path / "c.toml", text)
    assert engine_credentials(STUDIO, file, {"S": "s"}, None).values == AZURE
    with pytest.raises(ControlError, match=r"c\.toml: subscription_id: the variable S is not set"):
        engine_credentials(STUDIO, file, {}, None)


def test_a_file_is_not_mixed_with_the_environment(tmp_path: Path) -> None:
    file = written(tmp_path / "c.json", {"region": "r"})
    with pytest.raises(ControlError, match="access_key_id, secret_access_key missing"):
        engine_credentials(SAGEMAKER, file, AWS, None)


def test_headers_and_an_id_stand_beside_the_credentials(tmp_path: Path) -> None:
    found = {"url": "http://e", "instance_id": "i", "request_headers": {"x": "y"}}
    given = engine_credentials(CUSTOM, written(tmp_path / "c", found), {}, None)
    assert (given.values, given.instance_id, given.request_headers) == ({"url": "http://e"}, "i", {"x": "y"})


@pytest.mark.parametrize(
    ("engine", "change", "part"),
    [
        (STUDIO, {"client_secret": ""}, "client_secret missing: set AZURE_CLIENT_SECRET (or …_FILE)"),
        (STUDIO, {"apikey": "s3cret"}, "apikey is no key of azure-studio"),
        (STUDIO, {"tenant": 3}, "tenant must be a text"),
        (STUDIO, {"request_headers": ["s3cret"]}, "request_headers must be a table of texts"),
        (STUDIO, {"instance_id": 3}, "instance_id must be a text"),
        (CUSTOM, {"url": "engine:80"}, "url must begin with http:// or https://"),
        (CUSTOM, {"url": "http://u:s3cret@engine"}, "hold no password"),
        (CUSTOM, {"url": "http://e", "username": "u"}, "username and password go together"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_repeated(
    engine: Any, change: dict[str, Any], part: str, tmp_path: Path
) -> None:
    told = refused((AZURE if engine is STUDIO else {}) | change, tmp_path / "c.json", engine)
    assert part in told
    assert str(tmp_path / "c.json") in told
    assert "s3cret" not in told


@pytest.mark.parametrize("text", ["", "{", "[1]", '"s3cret"', "[" * 100_000, "client_secret = 's3cret'"])
def test_a_file_that_is_no_object_is_named_without_its_text(text: str, tmp_path: Path) -> None:
    assert "s3cret" not in refused(text, tmp_path / "c.json")
    assert "c.json" in refused(text, tmp_path / "c.json")


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="nowhere: cannot be read: No such file"):
        engine_credentials(STUDIO, tmp_path / "nowhere", {}, None)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ControlError, match="binary: cannot be read: not UTF-8"):
        engine_credentials(STUDIO, tmp_path / "binary", {}, None)
    (tmp_path / "c.toml").write_text("client_secret = s3cret")
    with pytest.raises(ControlError, match=r"c\.toml: is not TOML$"):
        engine_credentials(STUDIO, tmp_path / "c.toml", {}, None)


def test_a_person_is_asked_for_what_the_environment_lacks_and_for_no_more() -> None:
    asked: list[str] = []

    def ask(each: Credential) -> str:
        asked.append(each.key)
        return {"url": "http://e", "region": "r"}.get(each.key, "")

    given = engine_credentials(SAGEMAKER, None, {**AWS, "AWS_DEFAULT_REGION": ""}, ask)
    assert (given.values["region"], asked) == ("r", ["region"])
    asked.clear()
    assert engine_credentials(CUSTOM, None, {}, ask).values == {"url": "http://e"}
    assert asked == ["url", "username", "password"]
    asked.clear()
    engine_credentials(CUSTOM, None, {"CUSTOM_ENGINE_URL": "http://e"}, ask)
    assert asked == []


def test_a_database_is_a_file_or_a_url_or_missing(tmp_path: Path) -> None:
    file = written(tmp_path / "pg", {"db_type": "postgresql", "uri": "postgres://h/d", "extra": "kept"})
    assert database_credentials(file, {}, None)["extra"] == "kept"
    assert database_credentials(None, {"DATABASE_URL": "postgres://h/e"}, None) == {"uri": "postgres://h/e"}
    assert database_credentials(None, {}, lambda _: "postgres://h/f") == {"uri": "postgres://h/f"}
    with pytest.raises(ControlError, match="set DATABASE_URL"):
        database_credentials(None, {}, None)


def test_credentials_do_not_show_in_a_repr() -> None:
    assert "key" not in repr(engine_credentials(SAGEMAKER, None, AWS, None)).replace("worker", "")
