"""Dead letters read from their topics: bounded, filtered, without those that were parked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from worker.dlq.headers import PARKED, PARKING
from worker.dlq.letters import IN_EVENT, Known, Letter, letter_of
from worker.dlq.marks import Marks
from worker.dlq.unread import Unread
from worker.edges.cluster import describe
from worker.topics.spans import Bounds, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from worker.config import Kafka
    from worker.dlq.opening import Opener
    from worker.dlq.where import Where
    from worker.rooms.directory import Directory
    from worker.topics.reading import TopicReader

Positions = dict[tuple[str, int], int]
"""The next offset of each partition."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which letters are meant: those of a time (milliseconds since 1970, the end exclusive) to which a filter holds."""

    where: Where
    since: int | None = None
    until: int | None = None
    subscriptions: bool = False
    """Subscriptions are wanted, though perhaps no filter names them."""

    def in_time(self, letter: Letter) -> bool:
        """Whether a letter's timestamp is in bounds; timestamps need not grow with offsets in these topics."""
        time = letter.timestamp_ms
        return (self.since is None or time >= self.since) and (self.until is None or 0 <= time < self.until)


@dataclass(frozen=True, slots=True, repr=False)
class Found:
    """Letters that are meant, each with its facts, and how far each partition is read then."""

    letters: list[tuple[Letter, Known]] = field(default_factory=list)
    reached: Positions = field(default_factory=dict)
    read: int = 0
    parked: int = 0
    """Letters that would be meant, and were parked."""
    unknown: list[Letter] = field(default_factory=list)
    """Letters that may be meant, once their schema is known."""


class BlindError(Exception):
    """A filter asks what no letter of a topic can tell; the message says which, and what to do."""


class Box:
    """The dead letters of some topics, up to where they ended when it was made.

    Raises:
        ClusterError: a topic is not there, or Kafka does not answer.
    """

    def __init__(
        self,
        reader: TopicReader,
        topics: Sequence[str],
        choice: Choice,
        opener: Opener,
        *,
        directory: Directory | None = None,
        parked: Marks | None = None,
    ) -> None:
        self.choice = choice
        self.spans = reader.find(topics, Bounds(since=choice.since))
        self._reader = reader
        self._opener = opener
        self._directory = directory
        self._parked = parked or Marks()
        self.unread = Unread()
        """What the last reading left out because it could not be read."""

    @property
    def count(self) -> int:
        """Offsets to be read."""
        return sum(span.count for span in self.spans)

    def read(self, positions: Mapping[tuple[str, int], int] | None = None) -> Iterator[Found]:
        """All letters in chunks, from these positions on where there are any.

        Raises:
            ClusterError: Kafka does not answer, or letters were deleted meanwhile.
            RegistryError: a fact needs a schema, and the registry gives no answer.
            BlindError: a filter asks what a letter cannot tell, so that it would be passed over without a word.
        """
        self.unread = Unread()
        spans = [self._from(span, positions or {}) for span in self.spans]
        for messages in self._reader.read(spans):
            found = Found(read=len(messages))
            parked = 0
            for message in messages:
                letter = letter_of(message)
                found.reached[letter.topic, letter.partition] = letter.offset + 1
                facts = Known(letter, self._opener.schema, self._opener.facts, self._subscription)
                is_parked = self._parked.has(letter.topic, letter.partition, letter.offset)
                if not self.choice.in_time(letter):
                    continue
                if not self._holds(letter, facts):
                    found.unknown.extend(() if is_parked else self._left_out(letter, facts))
                elif is_parked:
                    parked += 1
                else:
                    found.letters.append((letter, facts))
            yield replace(found, parked=parked)
        yield Found(reached={(span.topic, span.partition): span.end for span in spans})

    def _holds(self, letter: Letter, facts: Known) -> bool:
        asked = self.choice.where
        if self._opener.format(letter) != "cloudevents" or not any(map(asked.names, IN_EVENT)):
            return asked.holds(facts)
        if asked.without(IN_EVENT).holds(facts):
            topic = facts["topic"] or letter.topic
            raise BlindError(
                f"--where {asked}: {letter.place} is of {topic}, of whose CloudEvents two are one event, so that no "
                f"letter tells {', '.join(IN_EVENT)}: ask for something else, or leave them out with topic!={topic}"
            )
        return False

    def _left_out(self, letter: Letter, facts: Known) -> Iterator[Letter]:
        """Count a letter that is left out for what cannot be read of it; the letter, if a schema may change that."""
        asked = self.choice.where
        if not any(map(asked.names, IN_EVENT)) or not asked.without(IN_EVENT).holds(facts):
            return
        event = self._opener.event(letter)
        if isinstance(event, str):
            self.unread.add(event)
            if self._opener.lacks_schema(letter):
                yield letter

    @staticmethod
    def _from(span: Span, positions: Mapping[tuple[str, int], int]) -> Span:
        """Without what is behind a position; one beyond the end is of another topic of that name."""
        position = positions.get((span.topic, span.partition), 0)
        return Span(span.topic, span.partition, max(span.begin, position), span.end) if position <= span.end else span

    def _subscription(self, facts: Mapping[str, str | None]) -> str | None:
        asset = facts.get("asset")
        if self._directory is None or asset is None:
            return None
        found = self._directory.resolve(facts.get("binding"), asset, facts.get("deployment"))
        return getattr(found, "subscription_id", None)


def parked(kafka: Kafka, reader: TopicReader, topics: Sequence[str]) -> Marks:
    """Which letters of these dead-letter topics were parked, by what lies in the parking topics that there are."""
    marks = Marks()
    known = describe(kafka, [topic + PARKING for topic in topics]).partitions
    parking = [topic for topic, partitions in known.items() if partitions]
    for messages in reader.read(reader.find(parking, Bounds()) if parking else []):
        for message in messages:
            place = place_of((dict(letter_of(message).headers).get(PARKED) or b"").decode("utf-8", "replace"))
            if place is not None:
                marks.add(*place)
    return marks


def place_of(text: str) -> tuple[str, int, int] | None:
    """Topic, partition and offset of `topic:partition:offset`; None where it is none."""
    topic, _, rest = text.partition(":")
    numbers = rest.split(":")
    if not topic or len(numbers) != len(("partition", "offset")):
        return None
    if not all(each.isascii() and each.isdigit() and len(each) < len(str(2**63)) for each in numbers):
        return None
    return topic, int(numbers[0]), int(numbers[1])
