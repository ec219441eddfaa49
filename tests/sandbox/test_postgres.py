"""A data mart whose `setup` names a PostgreSQL database: its payload is there, in its schema (contract §2, §5)."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from tests.sandbox.mart import Mart, Start, error_of, record
from worker.cli import app
from worker.sandbox.options import Options, OptionsError
from worker.sandbox.seed import DATA_MART_ID, planned
from worker.sandbox.serve import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.sandbox.database import Postgres

CUSTOM = planned("custom")
STUDIO = planned("azure-studio")
TABLE = ("loans", f"Payload_{CUSTOM.subscription_id}")
ERRORS = ("loans", f"PayloadError_{CUSTOM.subscription_id}")


def configuration(uri: str, schema: str | None = "loans") -> dict[str, Any]:
    """What `setup` sends for a PostgreSQL database."""
    return {
        "database_configuration": {
            "database_type": "postgresql",
            "name": "pg-1",
            "credentials": {"db_type": "postgresql", "name": "pg-1", "uri": uri},
            "location": {} if schema is None else {"schema": schema},
        }
    }


def set_up(mart: Mart, uri: str, schema: str | None = "loans", mart_id: str = DATA_MART_ID) -> httpx.Response:
    """Give a data mart a database."""
    body = configuration(uri, schema)
    return mart.http.put(f"/v1/data_marts/{mart_id}", params={"force": "true"}, json=body)


@pytest.fixture
def database(postgres: Postgres) -> Postgres:
    """The server, without the schemas that these tests use."""
    postgres.empty("loans", "other", "aios")
    return postgres


@pytest.fixture
def given(database: Postgres, start: Start) -> Iterator[Mart]:
    """A seeded data mart that was set up with PostgreSQL."""
    with start(databases="given") as started:
        mart = Mart(started)
        assert set_up(mart, database.uri).status_code == 200
        yield mart
        mart.close()


def test_the_payload_is_in_a_table_of_the_schema_with_a_column_for_each_of_the_models(
    given: Mart, database: Postgres
) -> None:
    given.post(record(given.custom, "r"))
    (row,) = database.all(
        "SELECT scoring_id, scoring_timestamp::text, deployment_id, age, sector, probability::text,"
        " prediction_probability FROM {}",
        TABLE,
    )
    assert row == ("r-1", "2019-06-11 10:00:00.123", "action", 31, "x", "[0.1,0.9]", 0.9)


def test_the_configuration_names_the_table_that_is_there(given: Mart, database: Postgres) -> None:
    given.post(record(given.custom, "r"))
    logging = given.http.get(f"{given.subscription_path()}/configurations/payload_logging").json()
    schema, _, table = logging["parameters"]["table_name"].partition(".")
    assert table in database.tables(schema)


def test_declared_columns_have_their_types_in_the_database(given: Mart, database: Postgres) -> None:
    request = {"fields": list(STUDIO.features), "values": [["31", 40, "1e5", "x"]]}
    response = {"fields": ["Scored Labels", "Scored Probabilities"], "values": [["Y", "0.25"]]}
    assert given.post(record(STUDIO, "r", request=request, response=response)).status_code == 202
    types = database.tables("loans")[f"Payload_{STUDIO.subscription_id}"]
    assert [types[name] for name in STUDIO.features] == ["double precision"] * 3 + ["text"]
    assert types["scoring_timestamp"] == "timestamp without time zone"
    table = given.transactions(STUDIO)
    row = dict(zip(table["fields"], table["values"][0], strict=True))
    assert [row[name] for name in (*STUDIO.features, "prediction_probability")] == [31.0, 40.0, 100000.0, "x", 0.75]


def test_what_cannot_be_processed_is_in_the_error_table(given: Mart, database: Postgres) -> None:
    given.post(record(given.custom, "bad", request=None), record(given.custom, "good"))
    assert database.all("SELECT scoring_id, reason FROM {}", ERRORS) == [("bad", "request has no values")]
    assert [error["scoring_id"] for error in given.sandbox.errors(given.custom.subscription_id)] == ["bad"]


def test_columns_that_postgresql_has_no_room_for_are_kept(given: Mart) -> None:
    odd = ["", "x" * 100, "ctid", "sandbox_more", 'a"b', "a%sb", "{t}", "\u20ac", "\0", "Age", "age"]
    names = [*odd, *(f"c{n}" for n in range(500))]
    cells: list[Any] = [*range(len(names))]
    given.post(record(given.custom, "r", request={"fields": names, "values": [cells]}))
    (row,) = given.sandbox.rows(given.custom.subscription_id)
    assert (row["fields"][: len(names)], row["values"][: len(names)]) == (names, cells)


def test_a_cell_of_another_type_than_its_column_was_made_with_is_kept(given: Mart) -> None:
    fields = [{"name": "age", "type": "string"}]
    patch = [
        {"op": "add", "path": "/asset_properties/input_data_schema", "value": {"type": "struct", "fields": fields}}
    ]
    given.post(record(given.custom, "undeclared"))
    given.http.patch(given.subscription_path(), json=patch)
    given.post(record(given.custom, "text", scoring_timestamp="2020-01-01T00:00:00Z"))
    fields[0]["type"] = "double"
    given.http.patch(given.subscription_path(), json=patch)
    given.post(record(given.custom, "number", scoring_timestamp="2021-01-01T00:00:00Z"))
    assert [row["values"][0] for row in given.sandbox.rows(given.custom.subscription_id)] == [31, "31", 31.0]


def test_a_database_that_cannot_be_connected_to_is_refused_without_its_secrets(given: Mart, database: Postgres) -> None:
    wrong = [
        database.uri_of("mart", "s3cret"),
        f"postgresql://mart:s3cret@127.0.0.1:{given.sandbox.url.rpartition(':')[2]}/postgres",
        "postgresql://mart:s3cret/@/x?nothing=s3cret",
        "s3cret",
        "",
    ]
    for uri in wrong:
        answer = set_up(given, uri, mart_id="another")
        assert error_of(answer) == (400, "SANDBOX-DATABASE")
        assert "s3cret" not in answer.text
    assert given.http.get("/v1/data_marts/another").status_code == 404


def test_a_user_without_rights_is_told_so(given: Mart, database: Postgres) -> None:
    database.all("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    answer = set_up(given, database.uri_of("guest", "guest"), "private", "another")
    database.all("DROP ROLE guest")
    assert error_of(answer)[0] == 400
    assert "its user may not" in answer.text


@pytest.mark.parametrize("schema", ["pg_catalog", "x" * 64, "a\0b"])
def test_a_schema_that_cannot_be_had_is_refused(given: Mart, database: Postgres, schema: str) -> None:
    assert error_of(set_up(given, database.uri, schema, "another"))[0] == 400


def test_data_marts_have_schemas_of_their_own_and_share_one_where_they_say_so(given: Mart, database: Postgres) -> None:
    for mart_id, schema in (("second", "loans"), ("third", "other"), ("fourth", None)):
        assert set_up(given, database.uri, schema, mart_id).status_code == 200
    given.post(record(given.custom, "a"))
    counted = {}
    for mart_id in ("second", "third", "fourth"):
        path = f"/v1/data_marts/{mart_id}"
        given.http.post(f"{path}/service_bindings", json=binding())
        subscription = f"{path}/service_bindings/{CUSTOM.binding_id}/subscriptions/{CUSTOM.subscription_id}"
        given.http.put(subscription, json={"asset": {"asset_id": "action"}})
        given.http.put(f"{subscription}/configurations/payload_logging", json={"enabled": True})
        posted = given.http.post(f"{path}/scoring_payloads", json=[record(CUSTOM, "a"), record(CUSTOM, mart_id)])
        assert posted.status_code == 202
        query = {"subscription_id": CUSTOM.subscription_id, "data_mart_id": mart_id}
        rows = given.http.get("/sandbox/rows", params=query).json()["rows"]
        counted[mart_id] = [row["scoring_id"] for row in rows]
    assert counted == {mart_id: ["a", mart_id] for mart_id in counted}
    assert given.count() == 1
    assert given.sandbox.stats()["stored_rows"] == 7
    tables = {schema: len(database.tables(schema)) // 2 for schema in ("loans", "other", "aios")}
    assert tables == {"loans": 2, "other": 1, "aios": 1}


def binding() -> dict[str, Any]:
    """A custom engine's."""
    return {
        "name": "engine",
        "service_type": "custom_machine_learning",
        "instance_id": CUSTOM.binding_id,
        "credentials": {"url": "http://127.0.0.1:9"},
    }


def test_a_deleted_data_mart_takes_its_tables_with_it(given: Mart, database: Postgres) -> None:
    given.post(record(given.custom, "a"), record(given.custom, "bad", request=None))
    assert given.http.delete(given.path).status_code == 202
    assert (
        database.all("SELECT tablename FROM pg_tables WHERE schemaname = 'loans' AND tablename LIKE 'Payload%'") == []
    )


def test_a_data_mart_that_is_given_another_database_begins_anew_there(given: Mart, database: Postgres) -> None:
    given.post(record(given.custom, "a"))
    set_up(given, database.uri, "other")
    assert given.count() == 0
    set_up(given, database.uri)
    assert given.count() == 1


def test_an_outage_of_the_database_is_a_503_and_ends_with_it(given: Mart, database: Postgres) -> None:
    given.post(record(given.custom, "a"))
    database.stop()
    try:
        for _ in range(2):
            assert error_of(given.post(record(given.custom, "b"))) == (503, "SANDBOX-DATABASE")
        assert error_of(given.http.get(f"{given.path}/scoring_transactions", params=_query())) == (
            503,
            "SANDBOX-DATABASE",
        )
        assert error_of(given.http.delete(given.path)) == (503, "SANDBOX-DATABASE")
    finally:
        database.start()
    assert given.post(record(given.custom, "a"), record(given.custom, "b")).status_code == 202
    assert [row["id"] for row in given.sandbox.rows(CUSTOM.subscription_id)] == ["a-1", "b-1"]


def _query() -> dict[str, str]:
    return {"subscription_id": CUSTOM.subscription_id}


def test_a_batch_that_fails_half_way_leaves_nothing(given: Mart, database: Postgres) -> None:
    given.post(record(given.custom, "a"))
    database.all("ALTER TABLE {} ADD CONSTRAINT no CHECK (prediction_probability IS DISTINCT FROM 0.5)", TABLE)
    response = {"fields": ["prediction", "probability"], "values": [["Y", [0.5, 0.5]]]}
    bad = record(given.custom, "c", response=response)
    batch = (record(given.custom, "b"), bad, record(given.custom, "bad", request=None))
    assert given.post(*batch).status_code == 503
    assert given.count() == 1
    assert given.sandbox.errors(CUSTOM.subscription_id) == []
    assert given.sandbox.received(CUSTOM.subscription_id) == {"a": (1, 0)}
    database.all("ALTER TABLE {} DROP CONSTRAINT no", TABLE)
    assert given.post(*batch).status_code == 202
    assert [row["id"] for row in given.sandbox.rows(CUSTOM.subscription_id)] == ["a-1", "b-1", "c-1"]


def test_a_restarted_sandbox_finds_its_data_marts_databases_again(
    database: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> None:
    options = Options(store=tmp_path_factory.mktemp("books") / "mart.sqlite", databases="given")
    with running(options) as started:
        mart = Mart(started)
        set_up(mart, database.uri)
        mart.post(record(mart.custom, "a"))
        mart.close()
    with running(options) as started:
        again = Mart(started)
        assert again.count() == 1
        again.post(record(again.custom, "a"), record(again.custom, "b"))
        assert [row["id"] for row in started.rows(CUSTOM.subscription_id)] == ["a-1", "b-1"]
        again.close()


def test_a_database_of_another_kind_is_played_by_the_sandboxes_own_store(start: Start) -> None:
    with start(databases="given") as started:
        mart = Mart(started)
        body = configuration("db2://u:p@nowhere:50000/bludb")
        body["database_configuration"]["database_type"] = "db2"
        assert mart.http.put(mart.path, params={"force": "true"}, json=body).status_code == 200
        assert mart.post(record(mart.custom, "a")).status_code == 202
        assert mart.count() == 1
        mart.close()


def test_a_store_that_cannot_be_had_ends_the_command_without_its_secrets(database: Postgres) -> None:
    ended = CliRunner().invoke(app, ["sandbox", "--store", database.uri_of("mart", "s3cret")])
    assert ended.exit_code == 78
    assert "PostgreSQL" in ended.output
    assert "s3cret" not in ended.output


def test_two_sandboxes_do_not_share_a_schema(database: Postgres) -> None:
    with (
        running(Options(store=database.uri)),
        pytest.raises(OptionsError) as raised,
        running(Options(store=database.uri)),
    ):
        pass
    assert "another sandbox" in str(raised.value)
    assert database.password not in str(raised.value)


def test_posts_at_once_are_all_stored_in_one_order(given: Mart) -> None:
    def send(sender: int) -> None:
        for n in range(5):
            given.post(*(record(given.custom, f"{sender}-{n}-{m}") for m in range(20)))

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored = [row["scoring_id"] for row in given.sandbox.rows(CUSTOM.subscription_id)]
    assert len(set(stored)) == len(stored) == 400
    assert stored == list(given.sandbox.received(CUSTOM.subscription_id))
