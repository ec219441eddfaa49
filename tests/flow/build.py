"""Values for tests of the flow: small envelopes, rows and policies."""

from __future__ import annotations

from worker.flow.batch import BatchPolicy
from worker.flow.breaker import BreakerPolicy
from worker.flow.flood import FloodPolicy
from worker.flow.policy import FlowPolicy
from worker.model import Claim, Disposition, Envelope, Refusal, Rejection, Row


def envelope(claim: Claim, offset: int, value: bytes = b"value") -> Envelope:
    """A record at a place."""
    return Envelope(claim, offset, 1_560_250_800_000, b"key", value, ())


def row(each: Envelope, subscription: str = "s-0", payload: bytes = b"{}") -> Row:
    """A row of a record."""
    return Row(each, subscription, payload)


def rejection(each: Envelope, disposition: Disposition = Disposition.DECODE, code: str = "no-framing") -> Rejection:
    """A rejection of a record."""
    return Rejection(each, Refusal(disposition, code, code))


def policy(
    *,
    records: int = 100,
    batch: int = 5,
    in_flight: int = 3,
    attempts: int = 4,
    by_subscription: bool = False,
    flood: FloodPolicy | None = None,
    pairing: float = 60.0,
    size: int = 1_000_000,
) -> FlowPolicy:
    """A policy of small bounds whose waits are one second for the first retry, two for the second, and so on."""

    def wait(attempt: int) -> float:
        return float(min(attempt, 10))

    return FlowPolicy(
        batch=BatchPolicy(batch, 10_000, 0.1),
        breaker=BreakerPolicy(2, wait),
        flood=flood or FloodPolicy(0.5, 10_000, 10_000),
        wait=wait,
        records=records,
        size=size,
        in_flight=in_flight,
        attempts=attempts,
        retry_after=60,
        by_subscription=by_subscription,
        pairing=pairing,
        paired={"t": "topic-id"},
    )
