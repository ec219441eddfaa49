"""The command line: `python -m bench SCENARIO`; exits 0 whether or not the goals are met, 1 on an error.

An error is also that the worker lost records. Results are trials, unless `--keep` makes them those that the documents
are made of.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaException

from bench import compare, document, stages
from bench.endpoint import BenchError
from bench.harness import say
from bench.report import write
from bench.scenarios import adaptive, backlog, latency, processes, replay, subscriptions
from bench.tables import text
from tests.kafka.broker import BrokerError
from tests.kafka.install import InstallError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bench.report import Result

ERRORS: Final = (BenchError, BrokerError, InstallError, KafkaException, OSError, subprocess.TimeoutExpired)
SCENARIOS: Final[Mapping[str, Callable[[argparse.Namespace], Result]]] = {
    "compare": compare.run,
    "subscriptions": subscriptions.run,
    "latency": latency.run,
    "backlog": backlog.run,
    "processes": processes.run,
    "adaptive": adaptive.run,
    "replay": replay.run,
    "stages": stages.run,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; the exit code."""
    parser = _parser()
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: with all that was started ended
    if given.scenario == "document":
        return document.main(check=given.check)
    if given.scenario != "all":
        return _play(given)
    # each with its own defaults, as if it were called alone
    lines = [["compare", "--full"], *([name] for name in SCENARIOS if name != "compare")]
    codes = [_play(parser.parse_args([*line, "--keep"])) for line in lines]
    return max([*codes, document.main(check=False)])


def _play(given: argparse.Namespace) -> int:
    began = time.monotonic()
    try:
        result = SCENARIOS[given.scenario](given).document()
    except ERRORS as error:
        print(f"bench: {given.scenario}: {str(error) or repr(error)}", file=sys.stderr)
        return 1
    print(text(result), end="\n\n", flush=True)
    path = write(result, keep=given.keep)
    say(f"{given.scenario}: {time.monotonic() - began:.0f} s; results/{path.name}{'' if given.keep else ' of trials'}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description="Measure the worker.")
    scenarios = parser.add_subparsers(dest="scenario", required=True, metavar="SCENARIO")

    def add(name: str, about: str, *, events: int = 0, rounds: int = 0, seconds: float = 0) -> argparse.ArgumentParser:
        made = scenarios.add_parser(name, help=about, description=about)
        made.add_argument("--keep", action="store_true", help="for the documents, not a trial")
        if events:
            made.add_argument("--events", type=_positive, default=events, help="of a run (default: %(default)s)")
        if rounds:
            made.add_argument("--rounds", type=_positive, default=rounds, help="turns of each (default: %(default)s)")
        if seconds:
            made.add_argument("--seconds", type=float, default=seconds, help="that a run takes (default: %(default)s)")
        return made

    plain = add("compare", "The worker beside its peers.", events=100_000, rounds=3)
    plain.add_argument("--full", action="store_true", help="all peers, and endpoints of 0 and 20 ms")
    plain.add_argument("--latencies", type=_numbers, help="milliseconds that a post waits, by commas")
    add("subscriptions", "One subscription beside 1,000.", events=200_000, rounds=3)
    add("latency", "From Kafka's timestamp to stored, at a tenth of capacity.", events=200_000, rounds=3, seconds=20)
    add("backlog", "A backlog drained: rebalances and memory.", events=5_000_000)
    add("processes", "One process beside two.", events=1_000_000, rounds=3)
    add("adaptive", "Posts in flight that follow the endpoint.", rounds=2, seconds=5)
    add("replay", "The worker beside a replay.", events=1_000_000, rounds=3)
    add("stages", "Where the time goes, stage by stage.", events=50_000)
    scenarios.add_parser("all", help="All of these in full, kept, and the documents made of them.")
    made = scenarios.add_parser("document", help="Put kept results into docs/performance.md and docs/scaling.md.")
    made.add_argument("--check", action="store_true", help="only say, by exit 1, whether they are as they should be")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _numbers(text: str) -> list[int]:
    return [int(each) for each in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
