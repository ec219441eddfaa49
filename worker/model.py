"""The values that travel from Kafka to the data mart; immutable, and free of I/O.

In the order of an event's way: a `Claim` on a partition, an `Envelope` read from it, the `Event` decoded from
the envelope, the `Target` it is for, its `Normal` form, the `Row` that is posted; or the `Rejection` that says why not.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar, dataclass_transform

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

T = TypeVar("T")
Wanted = tuple["str | None", str, "str | None"]
"""What an event names: binding, asset, deployment."""


@dataclass_transform(frozen_default=True)
def _record_value(cls: type[T]) -> type[T]:
    """A frozen, slotted dataclass to the type checker, without the cost of being frozen while it runs.

    Six of these are made for every record, and a frozen one takes five times as long to make as a plain one. They
    have no `repr`: they hold people's data.
    """
    return dataclass(slots=True, repr=False)(cls)


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """One assignment of one partition to this worker.

    Compared by identity: a partition that is revoked and assigned again is another claim, so a result that comes
    late for the old one finds nothing to settle. `epoch` only makes the difference readable.
    """

    topic: str
    partition: int
    epoch: int = 0


@_record_value
class Envelope:
    """One Kafka record as it was read: bytes untouched, so that it can be dead-lettered as it came.

    `timestamp_ms` is the record's Kafka timestamp in milliseconds since 1970, or -1 where it has none.
    """

    claim: Claim
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]

    def __repr__(self) -> str:
        return f"Envelope({self.claim.topic}[{self.claim.partition}]@{self.offset})"


class Side(StrEnum):
    """Which half of a scoring a record is, where request and response come as two records."""

    REQUEST = "request"
    RESPONSE = "response"

    @property
    def other(self) -> Side:
        """The half that it waits for."""
        return Side.RESPONSE if self is Side.REQUEST else Side.REQUEST


@dataclass(frozen=True, slots=True)
class Half:
    """What a record says of itself that is one half of a scoring: halves of different sides with one `key` are one."""

    side: Side
    key: str


@_record_value
class Pair(Envelope):
    """Two records of one claim that are one scoring: one row, and two offsets that are settled together.

    It stands in the older one's place, so that what holds up a partition, or a commit, is found by its offset.
    """

    request: Envelope
    response: Envelope

    @classmethod
    def of(cls, request: Envelope, response: Envelope) -> Pair:
        """The scoring that two halves make; its time is the response's."""
        older = min(request.offset, response.offset)
        return cls(response.claim, older, response.timestamp_ms, None, None, (), request, response)


def apart(envelopes: Iterable[Envelope]) -> Iterator[Envelope]:
    """The records as they were read: of a pair both."""
    for envelope in envelopes:
        if isinstance(envelope, Pair):
            yield envelope.request
            yield envelope.response
        else:
            yield envelope


@_record_value
class Body:
    """A native request or response, exactly as the scoring service holds it (JSON or CSV text)."""

    content_type: str
    data: bytes


@_record_value
class Table:
    """A request or response that the producer has put into rows already.

    `fields` has one name a column (None where there are none, as in unstructured input), `values` one list a row.
    `meta` holds columns that are no features, in the same shape, one row a row (contract §6). `sound`: whoever made it
    vouches that `values` are lists of lists of cells that may be posted, whatever their number in a row.
    """

    fields: Sequence[str] | None
    values: Sequence[Any]
    meta: Mapping[str, Any] | None = None
    sound: bool = False


@_record_value
class Event:
    """A decoded payload event; see `schemas/README.md` for each field.

    `scored_at` is in microseconds since 1970 (None: the Kafka record's timestamp).
    """

    binding: str | None
    asset: str
    deployment: str | None
    scoring_id: str | None
    scored_at: int | None
    response_time_ms: int | None
    request: Body | Table
    response: Body | Table
    attributes: Mapping[str, str]


class Engine(StrEnum):
    """The engines with a normaliser of their own, by the `service_type` of their binding (contract §3)."""

    CUSTOM = "custom_machine_learning"
    AZURE_STUDIO = "azure_machine_learning"
    AZURE_SERVICE = "azure_machine_learning_service"
    SAGEMAKER = "amazon_sagemaker"


@dataclass(frozen=True, slots=True)
class Target:
    """Where an event's rows go: the ids that the data mart wants in each record (contract §5.1).

    `engine` is the binding's `service_type`; `features` the subscription's feature columns in the order of the
    model's input, or () where the subscription names none. `data_set_id` is where the records go under v2, which says
    there what the ids say under v1 (contract §8).
    """

    binding_id: str
    subscription_id: str
    deployment_id: str
    engine: str
    features: tuple[str, ...] = ()
    data_set_id: str | None = None


@_record_value
class Normal:
    """A request and a response in the data mart's normal form (contract §6), ready for JSON.

    `rows` is the number of rows in each: `len(request["values"]) == len(response["values"]) == rows`.
    """

    request: Mapping[str, Any]
    response: Mapping[str, Any]
    rows: int


@_record_value
class Row:
    """One scoring record, encoded, with the envelope it came from.

    `payload` is the JSON object that stands in the posted array.
    """

    envelope: Envelope
    subscription_id: str
    payload: bytes


class Disposition(StrEnum):
    """Why a record is in the dead-letter topic: the whole vocabulary of `__dlq.errors.disposition`."""

    DECODE = "decode"
    SCHEMA = "schema"
    VALIDATION = "validation"
    UNKNOWN_ASSET = "unknown-asset"
    UNKNOWN_SUBSCRIPTION = "unknown-subscription"
    LOGGING_DISABLED = "logging-disabled"
    NORMALISE = "normalise"
    REJECTED = "rejected"
    REJECTED_EDGE = "rejected-edge"
    TOO_LARGE = "too-large"
    SERVER_ERROR = "server-error"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something cannot go on: `code` is a stable word for tools, `detail` a sentence for people.

    `detail` names the field or the place, never a value: payloads are people's data.
    """

    disposition: Disposition
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record that goes to the dead-letter topic, and why.

    `status` and `body` are the data mart's last answer where it was the data mart that refused (body cut to 1 KiB);
    `attempts` counts the posts that held this record. `wanted` is what the directory does not know, if it is that.
    """

    envelope: Envelope
    refusal: Refusal
    attempts: int = 0
    status: int | None = None
    body: str | None = None
    wanted: Wanted | None = None
