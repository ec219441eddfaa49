"""`mart apply`: a file is brought about, twice is once, and a file that is wrong changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.mart.command import EXAMPLES, Command, Done

if TYPE_CHECKING:
    from pathlib import Path

    from worker.sandbox.serve import RunningSandbox

LOANS = EXAMPLES / "loans.toml"
CUSTOM = """
[[bindings]]
name = "loans"
engine = "custom"
credentials = { url = "http://127.0.0.1:9" }

[[subscriptions]]
binding = "loans"
asset = "action"
prediction = "p"
"""


def deeds(done: Done) -> list[str]:
    return [step["deed"] for step in done.json["steps"]]


def whole(mart: Command) -> tuple[Any, Any]:
    """All bindings and subscriptions, as they are listed."""
    return mart.did("bindings", "list", "--json").json, mart.did("subscriptions", "list", "--json").json


def test_a_second_time_nothing_is_changed(mart: Command) -> None:
    mart.did("setup", "--internal")
    assert deeds(mart.did("apply", str(LOANS), "--json")) == ["add"] * 8
    there = whole(mart)
    assert [len(each) for each in there] == [4, 4]
    again = mart.did("apply", str(LOANS))
    assert again.out.endswith("\nnothing to change\n")
    assert whole(mart) == there


def test_a_dry_run_says_what_it_would_change_and_changes_nothing(mart: Command) -> None:
    mart.did("setup", "--internal")
    assert deeds(mart.did("apply", str(LOANS), "--json", "--dry-run")) == ["add"] * 8
    assert whole(mart) == ([], [])
    mart.did("apply", str(LOANS))
    assert set(deeds(mart.did("apply", str(LOANS), "--json", "--dry-run"))) == {"keep"}


def test_a_subscription_is_changed_to_what_the_file_says(mart: Command, tmp_path: Path) -> None:
    mart.did("setup", "--internal")
    mart.did("apply", str(LOANS))
    file = tmp_path / "changed.toml"
    text = LOANS.read_text("utf-8").replace('"approved"', '"granted"').replace('["Scored Probabilities"]', '["p", "q"]')
    file.write_text(text.replace('prediction = "prediction"', 'prediction = "other"\npayload_logging = false'))
    planned = mart.did("apply", str(file), "--dry-run").out
    assert "label_column, prediction_field" in planned
    done = mart.did("apply", str(file), "--json").json["steps"]
    assert [step["deed"] for step in done] == ["keep"] * 4 + ["change", "disable"] + ["change"] * 3
    assert mart.did("apply", str(file)).out.endswith("nothing to change\n")
    custom = mart.did("subscriptions", "show", "action", "--json").json["entity"]
    assert custom["asset_properties"]["predicted_target_field"] == "other"
    studio = mart.did("subscriptions", "show", "loans.binary", "--json").json["entity"]["asset_properties"]
    assert (studio["label_column"], studio["probability_fields"]) == ("granted", ["p", "q"])
    assert mart.did("subscriptions", "list").table[0][6] == "off"


def test_a_binding_that_differs_is_named_by_its_keys_before_anything_is_written(mart: Command, tmp_path: Path) -> None:
    mart.did("setup", "--internal")
    mart.did("apply", str(LOANS))
    there = whole(mart)
    file = tmp_path / "more.toml"
    file.write_text(CUSTOM.replace('"loans"', '"new"') + LOANS.read_text("utf-8").replace("us-east-2", "eu-west-1"))
    done = mart("apply", str(file), AZURE_CLIENT_SECRET="another")  # noqa: S106 - made up
    assert done.code == 65
    assert "binding loans-studio" in done.err
    assert "client_secret" in done.err
    assert "a binding cannot be changed" in done.err
    assert "another" not in done.err.replace("another name", "")
    assert whole(mart) == there


def test_a_binding_of_the_data_mart_can_be_named_by_its_id(mart: Command, tmp_path: Path) -> None:
    mart.did("setup", "--internal")
    binding = mart.did("bindings", "add", "custom", "--name", "loans", "--json").json["id"]
    file = tmp_path / "wanted.toml"
    file.write_text(f'[[subscriptions]]\nbinding = "{binding}"\nasset = "action"\nprediction = "p"\n')
    assert deeds(mart.did("apply", str(file), "--json")) == ["add", "enable", "enable"]


def test_what_was_half_done_is_completed_by_the_next_time(
    mart: Command, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    file = tmp_path / "wanted.toml"
    file.write_text(CUSTOM)
    mart.did("setup", "--internal")
    sandbox.fault({"match": {"method": "PUT", "path": "/subscriptions/"}, "times": 1, "action": {"status": 503}})
    done = mart("apply", str(file))
    assert done.code == 69
    assert "done: add binding loans" in done.out
    assert "answered 503" in done.err
    assert deeds(mart.did("apply", str(file), "--json")) == ["keep", "add", "enable", "enable"]
    assert mart.did("apply", str(file)).out.endswith("nothing to change\n")


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("[[bindings]]", "[[bindings", "is not TOML"),
        ('engine = "custom"', 'engine = "spss"', "bindings[1].engine: Input should be"),
        ('engine = "custom"', "", "bindings[1].engine: Field required"),
        ('name = "loans"', 'name = "loans"\ncolour = "red"', "bindings[1].colour: Extra inputs"),
        ('asset = "action"', "asset = 3", "subscriptions[1].asset: Input should be a valid string"),
        ('prediction = "p"', 'prediction = "p"\nproblem_type = "other"', "subscriptions[1].problem_type"),
        ('prediction = "p"', 'features = "p"', "subscriptions[1].features: Input should be a valid list"),
        ('url = "http://127.0.0.1:9"', 'url = "x"', "url must begin with http://"),
        ('9"', '9", username = "u", password = "s3cret"', 'credentials.password: must be { env = "NAME" }'),
        ('9"', '9", username = "u", password = { env = "NOT_SET" }', "the variable NOT_SET is not set"),
        ('9"', '9", username = "u", password = { file = "nowhere" }', "nowhere: No such file"),
        ('9"', '9", tokn = "s3cret"', "tokn is no key of custom"),
        ('9" }', '9" }\nrequest_headers = { x = "s3cret" }', "request_headers.x: must be { env"),
        ("[[subscriptions]]", CUSTOM.partition("\n\n")[0] + "\n[[subscriptions]]", "the name loans is there twice"),
        ('prediction = "p"', CUSTOM.partition("\n\n")[2], "the asset action of loans is there twice"),
        ('binding = "loans"', 'binding = "other"', "no binding has the id or the name other"),
    ],
)
def test_a_file_that_is_wrong_is_refused_and_changes_nothing(
    mart: Command, tmp_path: Path, old: str, new: str, part: str
) -> None:
    mart.did("setup", "--internal")
    file = tmp_path / "wanted.toml"
    assert old in CUSTOM
    file.write_text(CUSTOM.replace(old, new, 1))
    done = mart("apply", str(file))
    assert done.code in (65, 78)
    assert part in done.err
    assert done.out == ""
    assert whole(mart) == ([], [])


def test_every_fault_of_a_file_is_told_at_once(mart: Command, tmp_path: Path) -> None:
    file = tmp_path / "wanted.toml"
    file.write_text(CUSTOM.replace('"custom"', '"x"').replace('"action"', "3"))
    assert len(mart("apply", str(file)).err.splitlines()) == 2


def test_a_file_that_is_not_there_is_named(mart: Command, tmp_path: Path) -> None:
    done = mart("apply", str(tmp_path / "nowhere.toml"))
    assert (done.code, "nowhere.toml: cannot be read: No such file" in done.err) == (65, True)


def test_an_asset_that_the_new_engine_has_not_leaves_its_binding_and_says_so(mart: Command, tmp_path: Path) -> None:
    mart.did("setup", "--internal")
    file = tmp_path / "wanted.toml"
    file.write_text(CUSTOM.replace('"action"', '"nothing"'))
    done = mart("apply", str(file))
    assert (done.code, "deployed no asset nothing; it has action" in done.err) == (65, True)
    assert "done: add binding loans" in done.out
