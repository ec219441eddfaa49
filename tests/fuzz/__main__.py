"""`python -m tests.fuzz`: so many messages from a seed, what became of them, the slowest, and the memory it took.

It ends with 1 if anything was wrong: a crash, a row that differs, a message that is too slow, memory beyond the limit.
`--only N` tries one message of the seed again and shows it. Ctrl-C ends it with the report of what was tried.
"""

from __future__ import annotations

import argparse
import resource
import sys

from tests.fuzz.run import MEMORY, Result, run, show


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="tests.fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=20261123)
    parser.add_argument("--start", type=int, default=0, metavar="N", help="the number of the first message")
    parser.add_argument("--only", type=int, metavar="N", help="the number of one message, to be tried again")
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    if given.only is not None:
        sys.stdout.write(show(given.seed, given.only))
        return 0
    result = run(given.seed, given.messages, _progress, start=given.start)
    sys.stdout.write(_report(given.seed, result))
    return int(bool(result.wrong))


def _progress(tried: int, wrong: int, seconds: float) -> None:
    sys.stdout.write(f"{tried:>12,} messages in {seconds:,.0f} s, {wrong} wrong\n")
    sys.stdout.flush()


def _report(seed: int, result: Result) -> str:
    lines = [f"seed {seed}: {result.tried:,} messages in {result.seconds:,.0f} s"]
    lines += [f"{count:>12,}  {outcome}" for outcome, count in result.outcomes.most_common()]
    for what, (number, seconds, size) in {"": result.slowest_small, " above 100 KB": result.slowest}.items():
        lines.append(f"slowest{what}: {1000 * seconds:.1f} ms of CPU time, {size:,} bytes inflated (message {number})")
    lines.append(f"too slow at first sight: {result.suspects}, each time: {result.slow}")
    lines.append(f"peak memory: {result.peak >> 20} MiB, address space held to {MEMORY >> 20} MiB")
    lines += result.wrong or ["nothing wrong"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
