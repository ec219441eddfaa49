"""The command line: `python -m mutants` (or `make mutants`); exit 1: a defect survived, 2: they cannot be tried."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mutants.check import Result, SoundTreeError, Verdict, check, check_sound
from mutants.defects import MUTANTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mutants.mutant import Mutant


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the defects, print, write; the exit code."""
    given = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: with all that was started ended
    chosen = [each for each in MUTANTS if not given.only or each.name in given.only]
    if unknown := set(given.only or ()) - {each.name for each in chosen}:
        _complain(f"there is none called {', '.join(sorted(unknown))}")
        return 2
    try:
        results = _run(chosen, sound=given.sound)
    except SoundTreeError as error:
        _complain(f"the tests fail without a defect:\n{error}")
        return 2
    if given.json is not None:
        given.json.write_text(json.dumps([_document(each) for each in results], indent=2) + "\n", "utf-8")
    return _conclude(results)


def _run(chosen: Sequence[Mutant], *, sound: bool) -> list[Result]:
    if sound:
        _say(f"all the tests of {len(chosen)} defects, without one ...")
        check_sound(chosen)
    results = []
    for each in check(chosen):
        results.append(each)
        _say(_line(each))
    return results


def _line(result: Result) -> str:
    mutant = result.mutant
    end = result.caught_by or result.verdict.upper()
    return f"{mutant.name:<44} {mutant.file:<28} {result.seconds:6.1f} s  {end}"


def _conclude(results: Sequence[Result]) -> int:
    failed = [each for each in results if each.verdict is not Verdict.CAUGHT]
    for each in failed:
        _complain(f"{each.mutant.name} ({each.mutant.harm}): {each.verdict}\n{each.output}")
    _say(
        f"{len(results) - len(failed)} of {len(results)} defects caught, {sum(each.seconds for each in results):.0f} s"
    )
    return 1 if failed else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _complain(line: str) -> None:
    sys.stderr.write(f"mutants: {line}\n")


def _document(result: Result) -> dict[str, Any]:
    mutant = result.mutant
    told = {"name": mutant.name, "harm": mutant.harm, "file": mutant.file, "verdict": result.verdict.value}
    return told | {"caught_by": result.caught_by, "seconds": round(result.seconds, 1)}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mutants", description=__doc__)
    parser.add_argument("--only", metavar="NAME", action="append", help="this defect alone; may be given again")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the results there as well")
    parser.add_argument(
        "--no-sound", dest="sound", action="store_false", help="do not run the tests without a defect first"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
