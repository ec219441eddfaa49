"""What can be said against an event before it is sent: by the rooms' own checks, with or without its engine's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from worker.model import Engine, Refusal, Table, Target
from worker.rooms import validate
from worker.rooms.normalise import normalise, tables, texts
from worker.rooms.normalise.unfit import Code, Unfit

if TYPE_CHECKING:
    from worker.model import Body, Event

ANY: Final = Target("", "", "", Engine.CUSTOM.value)
"""Stands for the target of two tables, which are in the data mart's form whatever the engine."""


def refusal(event: Event, target: Target | None = None) -> Refusal | None:
    """Why the worker would refuse an event; None: nothing that is seen from here is wrong with it.

    `target` says the engine, and the features that the subscription names. Without one, bodies are only held to be
    text of their content type: what an engine makes of them, and whether their rows are as many, is not known.
    """
    invalid = validate.refusal(event)
    if invalid is not None:
        return invalid
    if target is None and not (isinstance(event.request, Table) and isinstance(event.response, Table)):
        return _side("request", event.request, named=False) or _side("response", event.response, named=True)
    normal = normalise(event.request, event.response, target or ANY)
    return normal if isinstance(normal, Refusal) else None


def _side(side: str, content: Body | Table, *, named: bool) -> Refusal | None:
    try:
        if isinstance(content, Table):
            tables.from_table(content, named=named)
        else:
            _text(content)
    except Unfit as unfit:
        return Refusal(unfit.code.disposition, unfit.code.value, f"{side}: {unfit.detail}")
    return None


def _text(body: Body) -> None:
    """Raise `Unfit` unless a body is text of its content type."""
    media = texts.media(body)
    if media == "lines":
        texts.lines_of(body)
    elif media != "csv":
        texts.json_of(body)
    else:
        try:
            body.data.decode()
        except UnicodeDecodeError as error:
            raise Unfit(Code.NOT_UTF8, f"the body is not UTF-8 at byte {error.start}") from None
