"""Makes the environment of IBM's client where it is missing, so that no test waits: `python -m tests.real_client`.

Where it cannot be made this says why and ends well: the tests that need it say so too, or fail where they must run.
"""

from __future__ import annotations

import sys

from tests.real_client import install


def main() -> int:
    """Returns the exit code, which is 0."""
    if install.made():
        return 0
    sys.stdout.write(f"installing IBM's client into {install.HOME.name}\n")
    try:
        install.make()
    except install.InstallError as error:
        sys.stdout.write(f"{error}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
