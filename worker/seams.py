"""What a worker stands between, as it sees it: what has such a form can stand in for Kafka, or for the data mart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from worker.flow.jobs import Letter, Lettered, Post, Posted
    from worker.model import Claim, Envelope
    from worker.rooms.directory import Directory
    from worker.rooms.suite import Passed


class Source(Protocol):
    """Where records come from, and where their offsets are committed; `edges.source` says what each of these means."""

    rebalances: int

    @property
    def claims(self) -> Collection[Claim]:
        """The partitions that are owned now."""

    @property
    def held(self) -> Mapping[Claim, str]:
        """Claims that are not read until somebody has looked, and why."""

    @property
    def offsets_lost(self) -> Mapping[tuple[str, str], int]:
        """Offsets that were deleted before they were read, by topic and partition."""

    @property
    def errors(self) -> Mapping[str, int]:
        """Errors that the client goes on from, by name."""

    @property
    def committing(self) -> int:
        """Commits without an answer."""

    @property
    def commits_failed(self) -> bool:
        """Whether there are commits to be offered again."""

    def lag(self) -> dict[Claim, int]:
        """Records that are still to be read, for each claim that has been read from."""

    def lag_now(self, claims: Collection[Claim]) -> dict[Claim, int]:
        """Records of these that are still to be read, by the broker's word of now; a claim without it is left out."""

    def read(self, room: int, timeout: float) -> list[Envelope]:
        """At most `room` records, waiting up to `timeout` seconds for the first; raises `SourceError`."""

    def stop_reading(self) -> None:
        """Nothing more is wanted."""

    def hold(self, claims: Collection[Claim]) -> None:
        """Do not read these until called without them."""

    def commit(self, marks: Mapping[Claim, int], *, wait: bool) -> bool:
        """Commit positions; False: it is known already that it failed."""

    def failed_commits(self) -> list[Claim]:
        """Claims whose commit has to be offered again, since this was last asked."""

    def close(self, *, at_once: bool = False) -> None:
        """Let go of everything, within seconds; `at_once`: within one."""


class Rooms(Protocol):
    """What becomes of records: `rooms.suite`, or something around it."""

    def walk(self, envelopes: Iterable[Envelope], directory: Directory) -> Passed:
        """Every record is in exactly one part of what is returned, or settled already."""


class Poster(Protocol):
    """Where batches go: `edges.courier`."""

    def send(self, post: Post) -> None:
        """Begin an attempt; its outcome will come out of `collect`."""

    def collect(self, timeout: float) -> list[Posted]:
        """The outcomes that are there; waits up to `timeout` seconds for the first."""

    def close(self) -> None:
        """Nothing more will be sent."""


class LetterBox(Protocol):
    """Where refused records go: `edges.deadletter`."""

    def send(self, letter: Letter) -> None:
        """Begin to write a letter; its outcome will come out of `collect`."""

    def collect(self, timeout: float = 0) -> list[Lettered]:
        """The outcomes that are known."""

    def close(self) -> None:
        """Nothing more will be sent."""


class Warden(Protocol):
    """Who is asked once a turn whether the work shall stop: `group_stop`, for the flood guard's sake."""

    def step(self) -> None:
        """Take a step; never waits."""

    def close(self) -> None:
        """The loop has ended."""
