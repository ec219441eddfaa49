"""Native requests and responses of each engine, at random, and what their rows must be.

The rows are computed from the native text by other means than the worker's: the standard library's json and csv,
column by column.

The rule of numbers: JSON's integers stay integers, JSON's other numbers stay doubles, text stays text; SageMaker's CSV
cells become doubles.
"""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from tests.way.events import body

if TYPE_CHECKING:
    import random

Rows = dict[str, Any]
LABELS = ("Golf Equipment", "Personal Accessories", "Camping")


def _cell(rng: random.Random) -> Any:
    return rng.choice(
        [
            rng.randint(-(2**53), 2**53),
            rng.random() * 10 ** rng.randint(-5, 5),
            float(rng.randint(-9, 9)),
            None,
            rng.random() < 0.5,
            rng.choice(["", "München", "日本", "\U0001d538\u202e", 'a "quote"', "1.0"]),
        ]
    )


def custom(rng: random.Random, _: tuple[str, ...]) -> tuple[Any, Any]:
    """The normal form itself, with a vector of probabilities."""
    rows = rng.randint(1, 4)
    fields = ["age", "hours", "income", "sector"]
    request = {"fields": fields, "values": [[_cell(rng) for _ in fields] for _ in range(rows)]}
    values = [[rng.choice(LABELS), [rng.random(), rng.random()]] for _ in range(rows)]
    return body(request), body({"fields": ["prediction", "probability"], "values": values})


def custom_rows(request: bytes, response: bytes) -> tuple[Rows, Rows]:
    """As they are."""
    return json.loads(request), json.loads(response)


def azure_studio(rng: random.Random, _: tuple[str, ...]) -> tuple[Any, Any]:
    """Studio: objects under Inputs and Results, numbers of the answer as text, one column a class."""
    rows = [{"age": _cell(rng), "hours": _cell(rng), "sector": _cell(rng)} for _ in range(rng.randint(1, 4))]
    answers: list[dict[str, Any]] = [
        {name: None if cell is None else str(cell) for name, cell in row.items()}
        | {f'Scored Probabilities for Class "{label}"': str(rng.random()) for label in LABELS}
        | {"Scored Labels": rng.choice(LABELS)}
        for row in rows
    ]
    name = rng.choice(["output1", "WebServiceOutput0"])
    return body({"Inputs": {"input1": rows}, "GlobalParameters": {}}), body({"Results": {name: answers}})


def azure_studio_rows(request: bytes, response: bytes) -> tuple[Rows, Rows]:
    """The one list under Inputs and the one under Results."""
    (asked,) = json.loads(request)["Inputs"].values()
    (answered,) = json.loads(response)["Results"].values()
    return _columns(asked), _columns(answered)


def azure_service(rng: random.Random, _: tuple[str, ...]) -> tuple[Any, Any]:
    """Service: objects under input, and a JSON text that holds JSON with objects under output."""
    rows = [{"age": _cell(rng), "sector": _cell(rng)} for _ in range(rng.randint(1, 4))]
    answers = [
        {"Scored Labels": rng.choice(LABELS), "Scored Probabilities": [rng.random(), rng.random()]} for _ in rows
    ]
    return body({"input": rows}), body(json.dumps(json.dumps({"output": answers})))


def azure_service_rows(request: bytes, response: bytes) -> tuple[Rows, Rows]:
    """The list under input, and that under output behind two readings."""
    return _columns(json.loads(request)["input"]), _columns(json.loads(json.loads(response))["output"])


def sagemaker(rng: random.Random, features: tuple[str, ...]) -> tuple[Any, Any]:
    """CSV without a header, and predictions whose keys come in either order."""
    cells = [
        ["0", "1.5e-3", "3.", f" {rng.randint(0, 99)}", repr(rng.random()), "-7"] for _ in range(rng.randint(1, 4))
    ]
    for row in cells:
        rng.shuffle(row)
    text = "\n".join(",".join(row[: len(features)]) for row in cells) + rng.choice(["", "\n"])
    keys = rng.choice([("predicted_label", "score"), ("score", "predicted_label")])
    answers = [
        {key: float(rng.randint(0, 2)) if key == "predicted_label" else rng.random() for key in keys} for _ in cells
    ]
    return body(text, "text/csv"), body({"predictions": answers})


def sagemaker_rows(request: bytes, response: bytes, features: tuple[str, ...]) -> tuple[Rows, Rows]:
    """Each cell a double, under the subscription's feature columns."""
    values = [[float(cell) for cell in line] for line in csv.reader(io.StringIO(request.decode()))]
    return {"fields": list(features), "values": values}, _columns(json.loads(response)["predictions"])


def _columns(objects: list[dict[str, Any]]) -> Rows:
    names = list(objects[0])
    columns = [[each[name] for each in objects] for name in names]
    return {"fields": names, "values": [list(row) for row in zip(*columns, strict=True)]}
