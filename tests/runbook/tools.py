"""What an operator has on the PATH: `payload-worker`, and Apache Kafka's own tools, as the runbook names them."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

from tests.kafka import install

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.runbook.page import Command

ROOT: Final = Path(__file__).parents[2]
KAFKA: Final = {
    "kafka-configs.sh": "kafka.admin.ConfigCommand",
    "kafka-consumer-groups.sh": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-get-offsets.sh": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
}
"""The scripts of Kafka's distribution, each with the class that it starts."""
SECONDS: Final = 120


class Tools:
    """Scripts of these names in a directory, and what runs a command of the page with them."""

    def __init__(self, directory: Path) -> None:
        self._path = directory
        self._write("payload-worker", [sys.executable, "-m", "worker"])
        java = ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", str(install.LIBS / "*")]
        for name, started in KAFKA.items():
            self._write(name, [*java, started])

    def run(self, command: Command, environment: Mapping[str, str]) -> str:
        """Run a command as it stands on the page; what it printed.

        It must exit with the code that the page says, and print what the page says.
        """
        path = f"{self._path}{os.pathsep}{environment['PATH']}"
        done = subprocess.run(
            ["bash", "-u", "-o", "pipefail", "-c", command.line],
            env={**environment, "PATH": path},
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        told = f"{command.line}\n{done.stdout}{done.stderr}"
        assert done.returncode == command.code, f"exit {done.returncode}, not {command.code}: {told}"
        for text in command.texts:
            assert Template(text).substitute(environment) in done.stdout, f'no "{text}" in: {told}'
        return done.stdout

    def _write(self, name: str, command: list[str]) -> None:
        script = self._path / name
        script.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', "utf-8")
        script.chmod(0o755)
