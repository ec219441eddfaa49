"""What people get wrong: settings, flags, names of what is not there; what is said, and how the command ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.mart.command import API_KEY, Command

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("settings", "code", "part"),
    [
        ({"MART__URL": "http://127.0.0.1:1"}, 69, "no answer (ConnectError); check mart.url"),
        ({"MART__URL": "http://host:port"}, 78, "a port from 1 to 65535"),
        ({"MART__URL": "ftp://h"}, 78, "url must begin with http://"),
        ({"MART__API_KEY": "s3cret-wrong"}, 78, "the credentials are refused (400); check the credentials in [mart]"),
        ({"MART__API_KEY": ""}, 78, "mart.api_key"),
        ({"MART__DATA_MART_ID": "none"}, 69, "there is no data mart none"),
        ({"KAFKA__TOPICS": "x"}, 78, "KAFKA__TOPICS"),
    ],
)
def test_settings_that_are_wrong_are_named_as_in_all_commands(
    full: Command, settings: dict[str, str], code: int, part: str
) -> None:
    full.settings.update(settings)
    done = full("bindings", "list")
    assert (done.code, done.out) == (code, "")
    assert part in done.err


def test_a_file_of_settings_does_as_well_as_the_environment(full: Command, tmp_path: Path) -> None:
    file = tmp_path / "worker.toml"
    file.write_text(f'[mart]\nurl = "{full.settings["MART__URL"]}"\napi_key = "{API_KEY}"\n')
    own = Command("unused")
    own.settings.clear()
    assert own.did("bindings", "list", "-c", str(file)).table[0][1] == "loans"
    assert (done := own("bindings", "list", "-c", str(tmp_path / "no.toml"))).code == 78
    assert "no.toml: no such file" in done.err


def test_an_id_that_is_another_bindings_is_not_taken_for_the_same(full: Command) -> None:
    done = full("bindings", "add", "custom", "--name", "loans", CUSTOM_ENGINE_PASSWORD="other")  # noqa: S106 - made up
    assert (done.code, "is there already with other password" in done.err) == (65, True)
    full.did("bindings", "add", "sagemaker", "--name", "b", "--id", "b-1")
    done = full("bindings", "add", "azure-studio", "--name", "b", "--id", "b-1")
    assert (done.code, "is there already with other engine" in done.err) == (65, True)


@pytest.mark.parametrize("words", [["subscriptions", "delete", "action"], ["bindings", "delete", "loans"], ["delete"]])
def test_nothing_is_deleted_unasked(full: Command, words: list[str]) -> None:
    done = full(*words)
    assert (done.code, done.out) == (2, "")
    assert "say --yes to delete" in done.err
    assert full.did("subscriptions", "list").table


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["bindings", "show", "nothing"], "no binding has the id or the name nothing; there are"),
        (["subscriptions", "show", "nothing"], "no subscription has the id or the name nothing; there are"),
        (["subscriptions", "list", "-b", "nothing"], "no binding has the id or the name nothing"),
        (["logging", "disable", "nothing"], "no subscription"),
        (["rows", "nothing"], "no subscription"),
        (["subscriptions", "add", "nothing"], "the engine has deployed no asset nothing; it has action"),
        (["subscriptions", "add", "action", "--deployment", "x"], "has no deployment x; it has action"),
        (["subscriptions", "add", "action", "-b", "x"], "no binding"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(full: Command, words: list[str], part: str) -> None:
    full.did("subscriptions", "delete", "action", "--yes") if "add" in words else None
    done = full(*words)
    assert (done.code, done.out) == (65, "")
    assert part in done.err


def test_azure_and_sagemaker_need_to_be_told_more(mart: Command) -> None:
    mart.did("setup", "--internal")
    mart.did("bindings", "add", "azure-studio", "--name", "studio")
    done = mart("subscriptions", "add", "loans.binary", "--label", "approved")
    assert done.code == 65
    assert "input_data_type, problem_type, prediction_field must be said" in done.err
    assert "--input-data-type, --problem-type, --prediction" in done.err


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nothing"],
        ["bindings", "add", "spss", "--name", "n"],
        ["bindings", "add", "custom"],
        ["bindings", "add", "custom", "--name", "n", "--password", "p"],
        ["subscriptions", "add", "a", "--problem-type", "x"],
        ["subscriptions", "add", "a", "--features", 'a,"b'],
        ["rows", "a", "--newest", "0"],
        ["rows", "a", "--csv", "--json"],
        ["setup", "--internal", "--schema", "s"],
    ],
)
def test_wrong_usage_is_told_from_all_other_failures(mart: Command, words: list[str]) -> None:
    assert mart(*words).code == 2


def test_credentials_that_are_missing_are_a_fault_of_the_configuration(mart: Command) -> None:
    mart.did("setup", "--internal")
    done = mart("bindings", "add", "sagemaker", "--name", "n", AWS_SECRET_ACCESS_KEY="")
    assert done.code == 78
    assert (
        "secret_access_key missing: set AWS_SECRET_ACCESS_KEY (or …_FILE), or name a file by --credentials" in done.err
    )


def test_names_cannot_move_the_cursor_of_who_lists_them(mart: Command) -> None:
    mart.did("setup", "--internal")
    mart.did("bindings", "add", "sagemaker", "--name", "a\x1b[2J[red]b")
    shown = mart.did("bindings", "list").out
    assert "\x1b" not in shown
    assert "[red]b" in shown
