"""What IBM's client is told to do: the whole way for each engine, with IAM and with ICP, and parts of it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.real_client.engines import CUSTOM, ENGINES, JSON, Engine

API_KEY = "k3y-of-the-s4ndbox"
POSTGRES: JSON = {"db_type": "postgresql", "name": "pg-1", "uri": "postgres://u:p@h:5432/compose"}


@dataclass(frozen=True, slots=True)
class Flow:
    """An engine, and how the client gets its tokens: `iam` or `icp`."""

    engine: Engine
    auth: str

    @property
    def name(self) -> str:
        """For the test's id."""
        return f"{self.engine.tell}-{self.auth}"

    @property
    def data_mart_id(self) -> str:
        """Each flow has a data mart to itself; where ICP names no instance it is the one of all zeros."""
        if self.auth == "icp" and self.engine is CUSTOM:
            return "00000000-0000-0000-0000-000000000000"
        return f"{ENGINES.index(self.engine):08}-0000-4000-8000-{self.auth:0>12}"


FLOWS = tuple(Flow(engine, auth) for engine in ENGINES for auth in ("iam", "icp"))


def by_key(url: str, data_mart_id: str) -> JSON:
    """The cloud client for a data mart."""
    return {"client": "APIClient", "credentials": {"url": url, "apikey": API_KEY, "data_mart_id": data_mart_id}}


def access(flow: Flow, url: str) -> JSON:
    """The client's class, and its credentials with the id in one of the ways in which it takes it."""
    named = {
        "custom-iam": {"instance_guid": flow.data_mart_id},
        "azure-studio-iam": {"instance_id": f"crn:v1:bluemix:public:aiopenscale:us-south:a/0:{flow.data_mart_id}::"},
        "custom-icp": {},
        "azure-studio-icp": {"instance_id": flow.data_mart_id},
    }.get(flow.name, {"data_mart_id": flow.data_mart_id})
    if flow.auth == "iam":
        return {"client": "APIClient", "credentials": {"url": url, "apikey": API_KEY} | named}
    credentials = {"url": url, "username": "admin", "password": API_KEY}
    return {"client": "APIClient4ICP", "credentials": credentials | named}


def pair(engine: Engine, engine_url: str, name: str, kind: str | None = None) -> JSON:
    """A binding of this name and the engine's asset in it; a custom engine answers at `engine_url`, to this user.

    The user makes the custom binding another one: its id is derived from its credentials.
    """
    own = {"url": engine_url, "username": name} if engine is CUSTOM else {}
    return {
        "binding": {"class": f"{kind or engine.kind}Instance", "name": name, "credentials": engine.credentials | own},
        "asset": {"class": f"{kind or engine.kind}Asset", "arguments": engine.asset},
    }


def plan(flow: Flow, url: str, engine_url: str, database: str | None) -> JSON:
    """The whole way of one flow, for `drive.py`, in the PostgreSQL of this URI where there is one."""
    engine = flow.engine
    credentials = POSTGRES | ({"uri": database} if database else {})
    schema = f"{flow.name}_rows"
    setup = {"db_credentials": credentials, "schema": schema} if database else {"internal_db": True}
    # the class that 2019's documents name is the Studio's
    kind = "AzureMachineLearning" if flow.name == "azure-studio-icp" else engine.kind
    return {
        "what": "whole",
        **access(flow, url),
        **pair(engine, engine_url, f"my {engine.tell}", kind),
        "records": engine.records,
        "rows": len(engine.rows),
        "no_rows": engine.no_rows,
        "update": {"label_column": "granted", "prediction_column": "verdict", "probability_column": "certainty"},
        "setup": setup,
        "move": {"db_credentials": credentials, "schema": f"{schema}_2"},
    }
