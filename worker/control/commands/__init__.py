"""`payload-worker mart …`: what is typed; each module is a group of commands."""

from __future__ import annotations

import typer

from worker.control.commands import bindings, everything, logging, rows, subscriptions

app = typer.Typer(
    name="mart",
    help="The data mart for people: set it up, bind engines, subscribe assets, switch payload logging, look at rows.",
    no_args_is_help=True,
)
app.command()(everything.setup)
app.command()(everything.show)
app.command()(everything.delete)
app.add_typer(bindings.app, name="bindings")
app.command()(everything.assets)
app.add_typer(subscriptions.app, name="subscriptions")
app.add_typer(logging.app, name="logging")
app.command()(rows.rows)
app.command()(everything.apply)
