"""The flags that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="PAYLOAD_WORKER_CONFIG", help="Settings in TOML.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be sent, without secrets; write nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
InBinding = Annotated[str | None, typer.Option("--binding", "-b", help="A binding's id or name.", show_default=False)]
CredentialsFile = Annotated[
    Path | None,
    typer.Option("--credentials", help="A file of credentials, JSON or .toml; else the environment, else a prompt."),
]
Wait = Annotated[float, typer.Option("--wait", min=0, help="Seconds to wait for the end of what is deleted.")]
WhichSubscription = Annotated[str, typer.Argument(help="A subscription's id, or its asset's id or name.")]
