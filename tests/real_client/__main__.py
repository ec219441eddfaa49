"""Makes the environments of IBM's clients where they are missing, so that no test waits: `python -m tests.real_client`.

Where one cannot be made this says why and ends well: the tests that need it say so too, or fail where they must run.
"""

from __future__ import annotations

import sys

from tests.real_client import install


def main() -> int:
    """Returns the exit code, which is 0."""
    for client in (install.V1, install.V2):
        if install.made(client):
            continue
        sys.stdout.write(f"installing {client.lock.stem} into {client.home.relative_to(install.ROOT)}\n")
        try:
            install.make(client)
        except install.InstallError as error:
            sys.stdout.write(f"{error}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
