"""`payload-worker dlq …`: all its commands."""

from __future__ import annotations

import typer

from worker.dlq.looking import explain, list_letters, show
from worker.dlq.moving import export, park, redrive

app = typer.Typer(
    name="dlq",
    help="Dead letters: what lies there and why, and the way back. Values are shown only where you ask for them.",
    no_args_is_help=True,
)
app.command("list")(list_letters)
app.command()(show)
app.command()(explain)
app.command()(redrive)
app.command()(park)
app.command()(export)
