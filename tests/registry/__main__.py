"""`python -m tests.registry --fetch` fetches the registry that the tests run, so that none of them waits for that."""

from __future__ import annotations

import sys

from tests.registry.apicurio import JAR, REQUIRED, VERSION, ApicurioError, fetch, missing


def main() -> int:
    """Returns the exit code: 69 where there is no registry to be had and one is required."""
    lack = missing()
    if lack is not None and not REQUIRED:
        return 0
    try:
        if not JAR.is_file():
            sys.stdout.write(f"fetching Apicurio Registry {VERSION} with Maven\n")
            fetch()
    except (ApicurioError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 69
    return 0


if __name__ == "__main__":
    sys.exit(main())
