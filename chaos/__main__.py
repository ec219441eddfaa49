"""The command line: `python -m chaos` (or `make chaos`); exits 1 where a scenario failed, 2 for a wrong call."""

from __future__ import annotations

import argparse
import json
import secrets
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from chaos.play import play
from chaos.report import Run, details, document, markdown, table
from chaos.scenarios import scenarios
from tests.kafka.broker import Broker, BrokerError, choose
from tests.kafka.install import InstallError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from chaos.outcome import Row
    from chaos.scenario import Scenario


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, print, write; the exit code."""
    parser = _parser()
    given = parser.parse_args(arguments)
    chosen = _chosen(given.only)
    if not chosen:
        parser.error(f"--only: there are {', '.join(each.name for each in scenarios())}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: with all that was started ended
    broker = choose()
    if not broker.real:
        print(
            "chaos: scenarios need a real Apache Kafka: Java 17 and Maven, or KAFKA_BOOTSTRAP_SERVERS", file=sys.stderr
        )
        return 1
    try:
        with broker:
            run = _run(chosen, broker, given)
    except (BrokerError, InstallError) as error:
        print(f"chaos: {error}", file=sys.stderr)
        return 1
    _tell(run, given.json, given.markdown)
    return 0 if run.passed else 1


def _run(chosen: Sequence[Scenario], broker: Broker, given: argparse.Namespace) -> Run:
    began = time.monotonic()
    print(f"chaos: seed {given.seed}", file=sys.stderr)
    with ExitStack() as stack:
        played: Callable[..., Iterable[list[Row]]] = map  # in this thread, so that Ctrl-C ends a scenario at once
        jobs = given.jobs or (1 if given.full else 3)
        if jobs > 1:
            pool = ThreadPoolExecutor(jobs)
            stack.callback(pool.shutdown, cancel_futures=True)
            played = pool.map
        rows = [row for each in played(lambda each: _play(each, broker, given), chosen) for row in each]
    return Run(rows=rows, seed=given.seed, full=given.full, broker=broker.name, seconds=time.monotonic() - began)


def _play(scenario: Scenario, broker: Broker, given: argparse.Namespace) -> list[Row]:
    rows: list[Row] = []
    for row in play(scenario, broker, full=given.full, seed=given.seed, code=given.code):
        rows.append(row)
        verdict = "passed" if row.outcome.passed else "FAILED"
        print(f"chaos: {row.name}: {verdict} in {row.seconds:.0f} s", *row.outcome.faults, sep="\n  ", file=sys.stderr)
    return rows


def _tell(run: Run, json_file: Path | None, markdown_file: Path | None) -> None:
    console = Console(highlight=False)
    console.print(table(run))
    console.print(details(run))
    if json_file is not None:
        json_file.write_text(json.dumps(document(run), indent=2) + "\n", encoding="utf-8")
    if markdown_file is not None:
        markdown_file.write_text(markdown(run), encoding="utf-8")


def _chosen(only: str | None) -> list[Scenario]:
    """Those named; none where one of the names is not known."""
    names = None if only is None else {name.strip().upper() for name in only.split(",")}
    found = [each for each in scenarios() if names is None or each.name in names]
    return found if names is None or len(found) == len(names) else []


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="chaos", description="Play the reliability scenarios, and close the books.")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--short", action="store_true", help="the sizes of CI: minutes (the default)")
    size.add_argument("--full", action="store_true", help="the sizes that are promised: hours")
    parser.add_argument("--only", metavar="S3,S5", help="these scenarios; left out: all")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of all chance; left out: any")
    parser.add_argument(
        "--jobs", type=int, help="play so many at once (short: 3, full: 1): figures suffer, verdicts do not"
    )
    parser.add_argument("--code", type=Path, metavar="DIR", help="another version of the worker: DIR/worker")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the table as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="where to write it as Markdown")
    return parser


if __name__ == "__main__":
    sys.exit(main())
