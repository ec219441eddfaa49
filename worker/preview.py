"""What `payload-worker preview` prints: the normal form of a native request and response, without Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from worker.model import Body, Engine, Refusal, Target
from worker.rooms.normalise import normalise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ENGINES: Mapping[str, Engine] = {
    "custom": Engine.CUSTOM,
    "azure-studio": Engine.AZURE_STUDIO,
    "azure-service": Engine.AZURE_SERVICE,
    "sagemaker": Engine.SAGEMAKER,
}
"""The engines by the names that people type."""

_BOM = b"\xef\xbb\xbf"


def preview(
    engine: str, request: bytes, response: bytes, features: Sequence[str], content_type: str | None
) -> bytes | Refusal:
    """The JSON `{"request":…,"response":…}` that would be posted, indented for people; or why it would not.

    `engine` is one of `ENGINES` (else `KeyError`); `features` stand for the subscription's feature columns.
    `content_type` is the request's, guessed where it is None; the response's is always guessed.
    """
    target = Target("", "", "", ENGINES[engine].value, tuple(features))
    asked = Body(guess(request) if content_type is None else content_type, request)
    normal = normalise(asked, Body(guess(response), response), target)
    if isinstance(normal, Refusal):
        return normal
    return orjson.dumps({"request": normal.request, "response": normal.response}, option=orjson.OPT_INDENT_2)


def guess(data: bytes) -> str:
    """The content type that `data` looks like: JSON, JSON Lines (several lines, each an object), else CSV."""
    text = data.removeprefix(_BOM)
    if text.lstrip()[:1] not in (b"{", b"[", b'"'):
        return "text/csv"
    lines = [line for line in text.splitlines() if line.strip()]
    several = len(lines) > 1 and all(line.lstrip().startswith(b"{") for line in lines)
    return "application/jsonlines" if several else "application/json"
