"""The scoring engines of the demo, each on a socket of its own, each speaking its own native protocol.

They share a model and nothing else: what is a number for one is a string for another, and one answers with JSON
in a JSON string.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from worker.demo.loans import classes, label, probability
from worker.sandbox.seed import NUMBERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

_START_SECONDS = 10


def custom() -> Starlette:
    """A custom engine: names and rows in, names and rows out; it tells of its deployments (contract §4.1)."""

    async def score(request: Request) -> Response:
        asked = await request.json()
        found = [probability(dict(zip(asked["fields"], row, strict=True))) for row in asked["values"]]
        values = [[label(each), classes(each)] for each in found]
        return JSONResponse({"fields": ["prediction", "probability"], "values": values})

    async def deployments(request: Request) -> Response:
        return JSONResponse({"count": 1, "resources": [_deployment(str(request.base_url).rstrip("/"))]})

    return Starlette(
        routes=[
            Route("/v1/deployments", deployments, methods=["GET"]),
            Route("/v1/deployments/action/online", score, methods=["POST"]),
        ]
    )


def azure_studio() -> Starlette:
    """Azure ML Studio: every column of the answer, numbers among them, is a string."""

    async def score(request: Request) -> Response:
        rows = (await request.json())["Inputs"]["input1"]
        return JSONResponse({"Results": {"output1": [_scored(row) for row in rows]}})

    return Starlette(routes=[Route("/workspaces/demo/services/loans/execute", score, methods=["POST"])])


def azure_service() -> Starlette:
    """Azure ML Service: the answer is JSON, in a JSON string."""

    async def score(request: Request) -> Response:
        found = [probability(row) for row in (await request.json())["input"]]
        output = [{"Scored Labels": label(each), "Scored Probabilities": classes(each)} for each in found]
        return JSONResponse(json.dumps({"output": output}))

    return Starlette(routes=[Route("/score", score, methods=["POST"])])


def sagemaker() -> Starlette:
    """Amazon SageMaker: nameless CSV in, predictions in JSON out."""

    async def score(request: Request) -> Response:
        lines = (await request.body()).decode().splitlines()
        cells = [[float(cell) for cell in line.split(",")] for line in lines]
        found = [probability(dict(zip(NUMBERS, row, strict=True))) for row in cells]
        predictions = [{"predicted_label": float(label(each) == "yes"), "score": each} for each in found]
        return JSONResponse({"predictions": predictions})

    return Starlette(routes=[Route("/endpoints/loans/invocations", score, methods=["POST"])])


APPS: Mapping[str, Callable[[], Starlette]] = {
    "custom": custom,
    "azure-studio": azure_studio,
    "azure-service": azure_service,
    "sagemaker": sagemaker,
}


@contextmanager
def running() -> Iterator[dict[str, str]]:
    """All engines on free loopback ports, each in a thread; where each answers, by its name."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(_served(name, app())) for name, app in APPS.items()}


@contextmanager
def _served(name: str, app: Starlette) -> Iterator[str]:
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    # asyncio sends small answers at once only where the socket names its protocol
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name=name, daemon=True)
        thread.start()
        try:
            _wait_until_started(server, thread)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(_START_SECONDS)


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError(f"the engine {thread.name} did not start")
        time.sleep(0.005)


def _scored(row: dict[str, Any]) -> dict[str, str]:
    approved = probability(row)
    columns = row | {"Scored Labels": label(approved), "Scored Probabilities": approved}
    return {name: str(value) for name, value in columns.items()}


def _deployment(url: str) -> dict[str, Any]:
    return {
        "metadata": {"guid": "action", "created_at": "2019-06-11T10:00:00Z", "modified_at": "2019-06-11T10:00:00Z"},
        "entity": {
            "name": "loans",
            "description": "Whether a loan is approved",
            "scoring_url": f"{url}/v1/deployments/action/online",
            "asset": {"name": "loans", "guid": "action"},
            "asset_properties": {"problem_type": "binary", "input_data_type": "structured"},
        },
    }
