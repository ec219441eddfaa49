"""The command line: `python -m bench` (or `make bench`); exits 0 whether or not the goals are met, 1 on an error."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaException

from bench.endpoint import BenchError
from bench.harness import Plan, bench
from bench.report import document, text
from tests.kafka.broker import BrokerError
from tests.kafka.install import InstallError

if TYPE_CHECKING:
    from collections.abc import Sequence

LATEST: Final = Path(__file__).with_name("results") / "latest.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; the exit code."""
    given = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: with all that was started ended
    try:
        result = bench(Plan(given.events, given.rounds, given.latency, given.subscriptions))
    except (BenchError, BrokerError, InstallError, KafkaException, OSError, subprocess.TimeoutExpired) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(text(result))
    for path in (LATEST, given.json):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(document(result), indent=2) + "\n", encoding="utf-8")
    return 0 if result.trustworthy else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description="Measure the worker against a naive loop.")
    parser.add_argument("--events", type=_positive, default=100_000, help="events of each kind (default: %(default)s)")
    parser.add_argument("--rounds", type=_positive, default=3, help="runs of each contender (default: %(default)s)")
    parser.add_argument("--latency", type=int, default=0, metavar="MS", help="milliseconds that each post waits")
    parser.add_argument("--subscriptions", type=_positive, default=1, help="subscriptions that events are spread over")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the results as well")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
