"""`payload-worker mart` as people and programs run it, within this process; and a sandbox to run it against."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, NamedTuple

from typer.testing import CliRunner

from worker import cli
from worker.config import PREFIX

ROOT: Final = Path(__file__).parents[2]
EXAMPLES: Final = ROOT / "examples" / "mart"
SECRETS: Final = {
    "CUSTOM_ENGINE_URL": "http://127.0.0.1:9",
    "CUSTOM_ENGINE_USERNAME": "monitor",
    "CUSTOM_ENGINE_PASSWORD": "s3cret-custom",
    "AZURE_CLIENT_ID": "client-1",
    "AZURE_CLIENT_SECRET": "s3cret-azure",
    "AZURE_SUBSCRIPTION_ID": "subscription-1",
    "AZURE_TENANT_ID": "tenant-1",
    "AWS_ACCESS_KEY_ID": "s3cret-AKIA",
    "AWS_SECRET_ACCESS_KEY": "s3cret-aws",
    "AWS_REGION": "us-east-2",
    "DATABASE_URL": "postgres://somebody:s3cret-database@127.0.0.1:5432/d",
}
API_KEY: Final = "s3cret-api-key"


class Done(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which is one JSON document."""
        return json.loads(self.out)

    @property
    def table(self) -> list[list[str]]:
        """The rows of the one table on standard output, without its names."""
        lines = self.out.splitlines()
        rule = next(at for at, line in enumerate(lines) if line.startswith("──"))
        starts = [0, *(at + 3 for at in range(len(lines[rule - 1])) if lines[rule - 1][at : at + 3] == "   ")]
        names = [at for at in starts if at == 0 or (lines[rule - 1][at : at + 1].strip() and at)]
        rows = [line for line in lines[rule + 1 :] if "   " in line]
        return [[row[a:b].strip() for a, b in zip(names, [*names[1:], None], strict=True)] for row in rows]


class Command:
    """Runs commands with settings for a data mart; no secret of `SECRETS`, nor the key, may ever be printed."""

    def __init__(self, url: str, **settings: str) -> None:
        self.settings = {"MART__URL": url, "MART__API_KEY": API_KEY, **settings}

    def __call__(self, *arguments: str, typed: str | None = None, **environment: str) -> Done:
        """`payload-worker mart …`; `environment` beside the settings, which may be replaced by their names."""
        own = {PREFIX + name: value for name, value in self.settings.items()}
        ended = CliRunner().invoke(cli.app, ["mart", *arguments], env=SECRETS | own | environment, input=typed)
        assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.exception
        assert "s3cret" not in ended.stdout + ended.stderr
        assert "Traceback" not in ended.stderr
        return Done(ended.exit_code, ended.stdout, ended.stderr)

    def did(self, *arguments: str, **environment: str) -> Done:
        """The same, of a command that must succeed and complain of nothing."""
        done = self(*arguments, **environment)
        assert (done.code, done.err) == (0, ""), done
        return done
