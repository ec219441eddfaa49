"""What goes wrong with Kafka's client.

What librdkafka goes on from is counted. Anything else ends the reading: the first such failure is kept, and nothing is
read or committed after it, for records may have been taken out of librdkafka that never reached the worker.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, ParamSpec

from confluent_kafka import KafkaError

from worker.edges.claims import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

P = ParamSpec("P")


class Failures:
    """Counts errors, keeps the first failure, and raises it as a `SourceError`."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """Errors that librdkafka reported and goes on from, by name."""
        self._first: BaseException | None = None

    @property
    def any(self) -> bool:
        """Whether reading has failed."""
        return self._first is not None

    def note(self, error: KafkaError) -> None:
        """Librdkafka has reported this."""
        self.counts[error.name()] += 1
        # given out among the records, a fatal error has this code, and does not say that it is fatal
        if error.fatal() or error.code() == KafkaError._FATAL:  # noqa: SLF001 - librdkafka's own codes begin so
            self._keep(SourceError(_given_up(error)))

    def check(self) -> None:
        """Raise `SourceError` if reading has failed."""
        if isinstance(self._first, SourceError):
            raise self._first
        if self._first is not None:
            raise SourceError(_failed(self._first)) from self._first

    @contextmanager
    def kept(self) -> Iterator[None]:
        """For callbacks: out of one an exception would lose a whole chunk silently, so it is kept for `check`."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is
            self._keep(error)

    def safe(self, callback: Callable[P, None]) -> Callable[P, None]:
        """The same callback, `kept`."""

        def guarded(*args: P.args, **named: P.kwargs) -> None:
            with self.kept():
                callback(*args, **named)

        return guarded

    @contextmanager
    def told(self) -> Iterator[None]:
        """For reading: whatever goes wrong is kept, and raised as a `SourceError` unless it ends the process anyhow."""
        try:
            yield
        except SourceError as error:
            self._keep(error)
            raise
        except Exception as error:
            self._keep(error)
            raise SourceError(_failed(error)) from error
        except BaseException as error:
            self._keep(error)
            raise

    def _keep(self, error: BaseException) -> None:
        if self._first is None:
            self._first = error


def _failed(error: BaseException) -> str:
    return f"reading failed ({type(error).__name__}: {error}); nothing more is committed"


def _given_up(error: KafkaError) -> str:
    text = f"Kafka's client has given up ({error.str()}); nothing more is committed"
    if "instance" not in error.str():
        return text
    return f"{text}. Another worker has the same group.instance.id: each needs one of its own"
