"""Builds the example producers whose toolchain is here, so that no test waits: `python -m tests.producers`.

What cannot be built is said in one line and ends well: the tests say so too, or fail where they must run.
"""

from __future__ import annotations

import sys

from tests.producers.languages import LANGUAGES, BuildError, Language


def main() -> int:
    """Returns the exit code, which is 0."""
    for language in LANGUAGES.values():
        if (lack := language.lacks()) is not None:
            sys.stdout.write(f"not built: {lack}\n")
        elif not language.made():
            _make(language)
    return 0


def _make(language: Language) -> None:
    sys.stdout.write(f"building the example in {language.home.name}\n")
    sys.stdout.flush()
    try:
        language.make()
    except BuildError as error:
        sys.stdout.write(f"not built: {error}\n")


if __name__ == "__main__":
    sys.exit(main())
