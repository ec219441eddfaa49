"""Fault rules: which requests are to go wrong, and how; told at `/sandbox/faults`.

    {"match": {"method": "POST", "path": "scoring_payloads$", "contains": "poison", "authorization": "…"},
     "times": 3, "after": 10, "share": 0.1, "seed": 7,
     "action": {"status": 429, "headers": {"Retry-After": "7"}, "body": …, "delay_ms": 50}}
    {"match": {"path": "records$"}, "times": 1, "action": {"request": "error"}}

Every part of `match` is optional. `path` and `authorization` are regular expressions, searched in the path
and in the header; `contains` is a text within the body, as it is written there (JSON without blanks). Of the
requests that match, the first `after` pass, then each is taken, or a `share` of them; a rule is gone when it
has taken `times`. Rules are asked in order; the first that takes a request has it.
"""

from __future__ import annotations

import json
import random
import re  # noqa: TC003 - pydantic reads the annotations
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator
from starlette.responses import Response
from starlette.routing import Route

from worker.sandbox import intake
from worker.sandbox.errors import ApiError, Code, bad_request
from worker.sandbox.wire import reply

if TYPE_CHECKING:
    from starlette.requests import Request

# the key in an ASGI scope of a request whose answer will not reach its sender
FAULTED = "sandbox.faulted"
# the key of what becomes of records that are posted to a data set, where a fault says so
FATE = "sandbox.fate"
_JSON = {"content-type": "application/json"}


class Seen(NamedTuple):
    """A request as rules see it."""

    method: str
    path: str
    authorization: str
    body: bytes


class Fate(NamedTuple):
    """What a fault makes of a request to store records: its last state, whether they are stored, and its failure."""

    state: str
    stored: bool
    failure: object


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Trickle(_Part):
    """Send the answer's body slowly."""

    bytes_per_s: Annotated[int, Field(ge=1)]


class Action(_Part):
    """What a fault does, in this order: wait, process, stay silent, then reset, hang up or answer.

    With `status` the answer is replaced, and the request not processed unless `processed` says so. `hang_ms`
    is silence, after which the connection is closed without an answer. `reset` sends a TCP reset, `before` or
    `after` the request is processed. Without any of these the request passes, late with `delay_ms` and slowly
    with `trickle`.

    `request` is for records that are posted to a data set of v2: the post is taken as it would be, and this is the
    state that its request ends in, or stays in for ever. The records are stored only where `processed` says so: that
    one is `active` without them is a loss. `body` is the failure of one in `error`, where it is given.
    """

    status: Annotated[int | None, Field(ge=200, le=599)] = None
    headers: dict[str, str] = {}
    body: Any = None
    delay_ms: Annotated[int, Field(ge=0)] = 0
    hang_ms: Annotated[int | None, Field(ge=0)] = None
    reset: Literal["before", "after"] | None = None
    trickle: Trickle | None = None
    processed: bool = False
    request: Literal["active", "error", "preparing"] | None = None

    @property
    def kind(self) -> str:
        """The name under which it is counted."""
        if self.hang_ms is not None:
            return "hang"
        if self.reset is not None:
            return f"reset_{self.reset}"
        if self.status is not None:
            return f"status_{self.status}"
        if self.request is not None:
            return f"request_{self.request}"
        return "trickle" if self.trickle else "delay"

    @property
    def answers(self) -> bool:
        """The sender gets the answer that the sandbox gives."""
        return self.hang_ms is None and self.reset is None and self.status is None

    @property
    def loses_answer(self) -> bool:
        """The request is processed, and its answer thrown away."""
        return not self.answers and (self.processed or self.reset == "after")

    @property
    def fate(self) -> Fate | None:
        """What becomes of the request that the post begins, where this says so."""
        return None if self.request is None else Fate(self.request, self.processed, self.body)

    def response(self) -> Response:
        """The answer in place of the sandbox's own: `body` is JSON, or a text as it is."""
        status = self.status or 500
        headers = {name.lower(): value for name, value in self.headers.items()}
        if self.body is None:
            return ApiError(status, Code.FAULT, f"An injected fault, {status}.").response(headers)
        if isinstance(self.body, str):
            return Response(self.body, status, {"content-type": "text/plain; charset=utf-8"} | headers)
        return Response(json.dumps(self.body), status, _JSON | headers)


class Match(_Part):
    """Which requests a rule is about."""

    method: str | None = None
    path: re.Pattern[str] | None = None
    contains: str | None = None
    authorization: re.Pattern[str] | None = None

    def of(self, seen: Seen) -> bool:
        """Whether this request is one of them."""
        return (
            (self.method is None or self.method.upper() == seen.method)
            and (self.path is None or self.path.search(seen.path) is not None)
            and (self.authorization is None or self.authorization.search(seen.authorization) is not None)
            and (self.contains is None or _contains(seen.body, self.contains))
        )


def _contains(body: bytes, text: str) -> bool:
    """JSON may spell a text in UTF-8, or in ASCII with escapes."""
    return text.encode() in body or (not text.isascii() and json.dumps(text)[1:-1].encode() in body)


class Rule(_Part):
    """A rule as it is told."""

    match: Match = Match()
    action: Action
    times: Annotated[int | None, Field(ge=1)] = None
    share: Annotated[float | None, Field(gt=0, le=1)] = None
    seed: int | None = None
    after: Annotated[int, Field(ge=0)] = 0

    @field_validator("action")
    @classmethod
    def _does_something(cls, action: Action) -> Action:
        if action.answers and not action.delay_ms and action.trickle is None and action.request is None:
            raise ValueError("an action needs status, delay_ms, hang_ms, reset, trickle or request")
        return action


_RULES: TypeAdapter[list[Rule]] = TypeAdapter(list[Rule])


class Active:
    """A rule in force, with what it has done."""

    def __init__(self, number: int, rule: Rule) -> None:
        self.number = number
        self.rule = rule
        self.matched = 0
        self.taken = 0
        self._random = random.Random(rule.seed)  # noqa: S311 - a share of faults, no secret

    def takes(self, seen: Seen) -> bool:
        """Whether this request goes wrong by this rule."""
        if not self.rule.match.of(seen):
            return False
        self.matched += 1
        if self.matched <= self.rule.after:
            return False
        if self.rule.share is not None and self._random.random() >= self.rule.share:
            return False
        self.taken += 1
        return True

    @property
    def spent(self) -> bool:
        """It has taken as many as it was to."""
        return self.rule.times is not None and self.taken >= self.rule.times

    def show(self) -> dict[str, Any]:
        """The rule as it was told, with its number and its counts."""
        told = self.rule.model_dump(mode="json", exclude_defaults=True)
        return {"id": self.number, "matched": self.matched, "taken": self.taken, **told}


class Faults:
    """The rules in force, and how many faults of each kind were made."""

    def __init__(self) -> None:
        self.active: list[Active] = []
        self.injected: Counter[str] = Counter()
        self._numbers = count(1)

    def add(self, told: object) -> list[Active]:
        """Take a rule or a list of them; `ApiError` 400 where one is none, and then none is taken."""
        try:
            rules = _RULES.validate_python(told if isinstance(told, list) else [told])
        except ValidationError as exc:
            found = exc.errors(include_url=False, include_context=False, include_input=False)
            where = "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in found)
            raise bad_request(f"No fault rule: {where}") from None
        added = [Active(next(self._numbers), rule) for rule in rules]
        self.active.extend(added)
        return added

    def pick(self, seen: Seen) -> Action | None:
        """What goes wrong with this request, if anything does."""
        for active in self.active:
            if active.takes(seen):
                if active.spent:
                    self.active.remove(active)
                self.injected[active.rule.action.kind] += 1
                return active.rule.action
        return None

    def clear(self) -> None:
        """No more faults; what was counted stays."""
        self.active.clear()


class FaultRoutes:
    """`POST` a rule or a list of them, `GET` what is in force, `DELETE` it all."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def routes(self) -> list[Route]:
        """Where these answer."""
        path = "/sandbox/faults"
        return [
            Route(path, self.add, methods=["POST"]),
            Route(path, self.show, methods=["GET"]),
            Route(path, self.clear, methods=["DELETE"]),
        ]

    async def add(self, request: Request) -> Response:
        """201 with the rules as they were understood."""
        added = self._faults.add(await intake.read_json(request))
        return reply(201, {"faults": [active.show() for active in added]})

    async def show(self, _: Request) -> Response:
        """200 with the rules in force, in their order."""
        return reply(200, {"faults": [active.show() for active in self._faults.active]})

    async def clear(self, _: Request) -> Response:
        """204."""
        self._faults.clear()
        return Response(status_code=204)
