"""Runs a real broker in the foreground, for people to try things: `python -m tests.kafka` (or `make kafka`).

`--fetch` only fetches Apache Kafka, where the tests would run it, so that none of them waits for that.
"""

from __future__ import annotations

import contextlib
import signal
import sys

from tests.kafka import install
from tests.kafka.broker import ApacheKafka, BrokerError, choose


def main(arguments: list[str]) -> int:
    """Returns the exit code: 69 where there is no broker to be had."""
    try:
        return _fetch() if arguments == ["--fetch"] else _serve()
    except (BrokerError, install.InstallError) as error:
        sys.stderr.write(f"{error}\n")
        return 69


def _fetch() -> int:
    if isinstance(choose(), ApacheKafka) and not install.fetched():
        sys.stdout.write(f"fetching Apache Kafka {install.version()} with Maven\n")
        install.fetch()
    return 0


def _serve() -> int:
    lack = install.missing()
    if lack is not None:
        raise install.InstallError(f"{lack}: Apache Kafka needs Java {install.JAVA_AT_LEAST} and Maven")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ApacheKafka() as broker:
        sys.stdout.write(f"{broker.name} is ready: bootstrap.servers={broker.bootstrap}\n")
        sys.stdout.write(f"  export KAFKA_BOOTSTRAP_SERVERS={broker.bootstrap}\n  log: {broker.log}\n")
        sys.stdout.write("Ctrl-C ends it and removes its data.\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            broker.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
