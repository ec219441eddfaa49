"""A PostgreSQL that v2 names in parts, as its clients do, is the one that the rows are in (contract §8)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.sandbox.instance import BASE, Instance, scored

if TYPE_CHECKING:
    from tests.sandbox.database import Postgres
    from tests.sandbox.mart import Start

SCHEMA = "v2"


def test_a_database_named_in_parts_gets_the_rows(start: Start, postgres: Postgres) -> None:
    told = urlsplit(postgres.uri)
    parts = {"hostname": told.hostname, "port": told.port, "username": told.username, "password": told.password}
    configuration = {
        "database_type": "postgresql",
        "credentials": parts | {"db": told.path[1:]},
        "location": {"schema_name": SCHEMA},
    }
    postgres.empty(SCHEMA)
    with start(databases="given") as started:
        client = Instance(started)
        moved = client.http.post(f"{BASE}/data_marts?force=true", json={"database_configuration": configuration})
        assert moved.status_code == 201, moved.text
        assert client.ended(client.post(scored("a"))) == {"state": "active"}
        assert any(client.v1.custom.subscription_id in name for name in postgres.tables(SCHEMA))
        assert client.count() == 1
        client.close()
