"""CloudEvents as the loggers of KServe and Seldon write them, and what a data mart is to hold of them.

The reference is made of the numbers that were scored, not of the events: it shares nothing with the worker.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

FEATURES: Final = ("age", "hours", "income", "sector")
SECONDS: Final = 1_560_247_200

Headers = list[tuple[str, bytes]]


@dataclass(frozen=True)
class Event:
    """A record as it is produced."""

    id: str
    side: str
    value: bytes
    headers: Headers


@dataclass(frozen=True)
class Scoring:
    """A model that was asked for `rows` and answered with as many; `form` says how the events tell of it."""

    id: str
    rows: list[list[Any]]
    answers: list[list[Any]]
    form: str

    @property
    def stored(self) -> str:
        """The id that it is stored by: Seldon's events name the model too."""
        return f"{self.id}-classifier" if self.form == "seldon" else self.id

    @property
    def record(self) -> dict[str, Any]:
        """What is to be posted of it, without the ids of binding, subscription and deployment."""
        asked, answered = self._names()
        second = SECONDS + int(self.id.rpartition("-")[2])
        stamp = {} if self.form == "seldon" else {"scoring_timestamp": _time(second, "25").replace("Z", "0000Z")}
        return {
            "scoring_id": self.stored,
            **stamp,
            "request": {"fields": asked, "values": self.rows},
            "response": {"fields": answered, "values": self.answers},
        }

    def _names(self) -> tuple[list[str], list[str]]:
        if self.form == "rows":
            return list(FEATURES), ["prediction_0", "prediction_1"]
        return list(FEATURES), ["prediction", "score"]

    def events(self) -> list[Event]:
        """The request's event and the response's."""
        return [self._event("request", self._asked()), self._event("response", self._answered())]

    def _asked(self) -> dict[str, Any]:
        if self.form == "rows":
            return {"instances": self.rows}
        return {"inputs": _tensors(FEATURES, ("INT64", "FP64", "INT64", "BYTES"), self.rows)}

    def _answered(self) -> dict[str, Any]:
        if self.form == "rows":
            return {"predictions": self.answers}
        return {"model_name": "m", "outputs": _tensors(("prediction", "score"), ("BYTES", "FP64"), self.answers)}

    def _event(self, side: str, document: dict[str, Any]) -> Event:
        data = json.dumps(document).encode()
        number = int(self.id.rpartition("-")[2])
        attributes = {
            "id": self.id,
            "source": "http://localhost:9081/",
            "type": f"org.kubeflow.serving.inference.{side}",
            "specversion": "1.0",
            "time": _time(SECONDS + number, "25" if side == "response" else "2"),
            "inferenceservicename": "action",
            "namespace": "default",
            "component": "predictor",
            "endpoint": "",
        }
        if self.form == "structured":
            event: dict[str, Any] = {**attributes, "datacontenttype": "application/json"}
            event |= {"data": document} if number % 2 else {"data_base64": base64.b64encode(data).decode()}
            return Event(self.id, side, json.dumps(event).encode(), [("content-type", STRUCTURED)])
        if self.form == "seldon":
            return Event(self.id, side, data, _seldon(self.id, side))
        # a request that curl sent has curl's content type, whatever it holds
        media = b"application/x-www-form-urlencoded" if side == "request" else b"application/json"
        return Event(
            self.id, side, data, [*((f"ce_{k}", v.encode()) for k, v in attributes.items()), ("content-type", media)]
        )


STRUCTURED: Final = b"application/cloudevents+json; charset=UTF-8"


def _seldon(name: str, side: str) -> Headers:
    """As Seldon's own producer has it: no prefix, and no time."""
    return [
        ("type", f"io.seldon.serving.inference.{side}".encode()),
        ("content-type", b"application/json"),
        ("modelid", b"classifier"),
        ("requestid", name.encode()),
        ("inferenceservicename", b"action"),
        ("namespace", b"seldon"),
        ("endpoint", b"default"),
        ("protocol", b"v2"),
    ]


def _time(second: int, fraction: str) -> str:
    whole = second - SECONDS
    return f"2019-06-11T{10 + whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}.{fraction.ljust(2, '0')}Z"


def _tensors(names: tuple[str, ...], types: tuple[str, ...], rows: list[list[Any]]) -> list[dict[str, Any]]:
    columns = zip(*rows, strict=True)
    return [
        {"name": name, "shape": [len(rows), 1][: 1 + at % 2], "datatype": of, "data": list(cells)}
        for at, (name, of, cells) in enumerate(zip(names, types, columns, strict=True))
    ]


FORMS: Final = ("tensors",) * 14 + ("structured", "structured", "rows", "rows", "seldon", "seldon")


def scorings(count: int, chance: random.Random) -> Iterator[Scoring]:
    """Scorings of one to three rows, of exact integers beyond doubles, missing values and texts of all kinds."""
    for number in range(count):
        size = chance.randint(1, 3)
        form = FORMS[number % len(FORMS)]
        rows = [
            [2**53 + number, chance.random(), None if chance.random() < 0.2 else chance.randint(-9, 9), "sécteur 🏦"]
            for _ in range(size)
        ]
        answers = [[chance.choice(["yes", "no"]), chance.random()] for _ in range(size)]
        yield Scoring(f"ce-{form}-{number}", rows, answers, form)


def stream(made: list[Scoring], chance: random.Random, *, alone: float) -> tuple[list[Event], dict[str, str]]:
    """The events in an order as several servers' loggers make it; and the side of those that come alone, by id."""
    placed: list[tuple[float, Event]] = []
    unpaired: dict[str, str] = {}
    for at, scoring in enumerate(made):
        events = scoring.events()
        if chance.random() < alone:
            events = [chance.choice(events)]
            unpaired[scoring.id] = events[0].side
        placed += [(at + chance.uniform(0, 30), event) for event in events]
    return [event for _, event in sorted(placed, key=lambda each: each[0])], unpaired
