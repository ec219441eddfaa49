"""The documents' raw REST example, by curl: a token for a form, a list of records, and IBM's client reads them back."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.real_client.engines import ENGINES, OWN, Engine
from tests.real_client.flows import API_KEY, by_key
from worker.sandbox.seed import Seeded, seed

if TYPE_CHECKING:
    from tests.real_client.driver import Drivers
    from worker.sandbox.serve import RunningSandbox

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")

# the documents' record has the ids, the request and the response; IBM's other example adds the time, as a text
EXAMPLES: dict[str, tuple[dict[str, Any], dict[str, Any], list[Any]]] = {
    "custom": (
        {"fields": ["age", "hours", "income", "sector"], "values": [[31, 40.5, 51000, "tech"]]},
        {"fields": ["prediction", "probability"], "values": [["Y", [0.25, 0.75]]]},
        [31, 40.5, 51000, "tech", "Y", [0.25, 0.75], 0.75],
    ),
    "azure-studio": (
        {"Inputs": {"input1": [{"age": 31, "hours": 40.5, "income": 51000, "sector": "tech"}]}, "GlobalParameters": {}},
        {"Results": {"output1": [{"Scored Labels": "Y", "Scored Probabilities": "0.75"}]}},
        # a text, since no schema says that it is a number
        [31, 40.5, 51000, "tech", "Y", "0.75", 0.75],
    ),
    "azure-service": (
        {"input": [{"age": 31, "hours": 40.5, "income": 51000, "sector": "tech"}]},
        {"output": [{"Scored Labels": "Y", "Scored Probabilities": [0.25, 0.75]}]},
        [31, 40.5, 51000, "tech", "Y", [0.25, 0.75], 0.75],
    ),
    "sagemaker": (
        {"fields": ["age", "hours", "income", "debt"], "values": [[0.0, 1.0, 17.0, 4850.5]]},
        {"fields": ["predicted_label", "score"], "values": [[0.0, 0.25]]},
        [0.0, 1.0, 17.0, 4850.5, 0.0, 0.25, 0.75],
    ),
}


def mart_of(engine: str) -> str:
    """A data mart for each engine's test."""
    return f"rest-{engine}"


def curl(*arguments: str, body: object = None) -> tuple[int, Any]:
    """The status and the JSON that curl gets; `body` is posted as JSON."""
    command = ["curl", "--silent", "--show-error", "--noproxy", "*", "--write-out", "\n%{http_code}", *arguments]
    if body is not None:
        command += ["--header", "Content-Type: application/json", "--data", "@-"]
    told = None if body is None else json.dumps(body)
    done = subprocess.run(command, input=told, capture_output=True, text=True, timeout=60, check=True)
    content, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(content)


def token(url: str) -> str:
    """A token, for the form that IAM takes."""
    form = ["--data-urlencode", "grant_type=urn:ibm:params:oauth:grant-type:apikey", "--data-urlencode"]
    status, answer = curl(f"{url}/identity/token", *form, f"apikey={API_KEY}")
    assert status == 200
    return str(answer["access_token"])


def record(seeded: Seeded, request: object, response: object) -> dict[str, Any]:
    return {
        "binding_id": seeded.binding_id,
        "subscription_id": seeded.subscription_id,
        "deployment_id": seeded.deployment_id,
        "request": request,
        "response": response,
    }


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.tell)
def test_a_list_posted_with_a_token_is_read_back_by_the_client(
    engine: Engine, sandbox: RunningSandbox, drive: Drivers
) -> None:
    request, response, row = EXAMPLES[engine.tell]
    mart = mart_of(engine.tell)
    seeded = seed(sandbox.url, mart, (engine.tell,), api_key=API_KEY)[engine.tell]
    records = [
        record(seeded, request, response),
        record(seeded, request, response) | {"response_time": "12", "scoring_id": "given"},
    ]
    authorised = ["--header", f"Authorization: Bearer {token(sandbox.url)}"]
    path = f"{sandbox.url}/v1/data_marts/{mart}/scoring_payloads"
    assert curl(path, *authorised, body=records)[0] == 202
    read = {"what": "rows", "subscription": seeded.subscription_id, "rows": 2, **by_key(sandbox.url, mart)}
    steps = drive(read)
    table = steps["table"]["value"]
    assert steps["count"]["value"] == 2
    assert [cells[len(OWN) :] for cells in table["values"]] == [row, row]
    assert "given-1" in [cells[0] for cells in table["values"]]
    assert all(cells[1] for cells in table["values"])


def test_icp_takes_a_user_by_curl_too(sandbox: RunningSandbox) -> None:
    status, answer = curl(f"{sandbox.url}/v1/preauth/validateAuth", "--user", f"admin:{API_KEY}")
    assert (status, answer["username"]) == (200, "admin")
    mart = f"{sandbox.url}/v1/data_marts/none"
    status, answer = curl(mart, "--header", f"Authorization: Bearer {answer['accessToken']}")
    assert (status, answer["errors"][0]["code"]) == (404, "AISCS0005W")


def test_without_a_token_nothing_is_taken(sandbox: RunningSandbox) -> None:
    status, answer = curl(f"{sandbox.url}/v1/data_marts/none/scoring_payloads", body=[{}])
    assert status == 401
    assert set(answer) == {"trace", "errors"}
