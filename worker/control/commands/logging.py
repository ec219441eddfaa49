"""`mart logging …`: whether a subscription's payload is taken."""

from pathlib import Path
from typing import Annotated, Any

import typer

from worker.control import session
from worker.control.commands.flags import AsJson, ConfigFile, DryRun, InBinding, WhichSubscription, Yes
from worker.control.lookups import subscription_of
from worker.control.plane import LOGGING
from worker.control.screen import document, pairs, table, told

app = typer.Typer(help="Switch payload logging on or off, or see whether it is on.", no_args_is_help=True)


@app.command()
def enable(
    which: WhichSubscription,
    config: ConfigFile = None,
    binding: InBinding = None,
    *,
    dynamic: Annotated[
        bool, typer.Option("--dynamic-schema-update", help="Let the table's columns follow what is logged.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Take the payload of a subscription."""
    body: dict[str, Any] = {"enabled": True}
    body |= {"parameters": {"dynamic_schema_update": True}} if dynamic else {}
    _switch(which, config, binding, body, yes=yes, as_json=as_json, dry_run=dry_run)


@app.command()
def disable(
    which: WhichSubscription,
    config: ConfigFile = None,
    binding: InBinding = None,
    *,
    yes: Yes = False,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Take no more payload of a subscription. The worker dead-letters its events from then on (logging-disabled)."""
    _switch(which, config, binding, {"enabled": False}, yes=yes, as_json=as_json, dry_run=dry_run)


def _switch(
    which: str,
    config: Path | None,
    binding: str | None,
    body: dict[str, Any],
    *,
    yes: bool,
    as_json: bool,
    dry_run: bool,
) -> None:
    with session.plane(config, dry=dry_run) as plane:
        found = subscription_of(plane, which, binding)
        state = "enabled" if body["enabled"] else "disabled"
        changes = not _is(plane.configuration(found), body)
        if changes:
            session.agreed(f"Payload logging of {found.id} ({found.asset_id}): set to {state}?", yes=yes or dry_run)
            plane.configure(found, LOGGING, body)
        text = f"subscription {found.id}: payload logging {'is' if changes else 'was already'} {state}"
        told(plane, text, {"id": found.id, "enabled": body["enabled"], "changed": changes}, as_json=as_json)


def _is(configuration: dict[str, Any], body: dict[str, Any]) -> bool:
    """It is configured so already."""
    parameters = configuration.get("parameters") or {}
    wanted = body.get("parameters", {})
    return configuration.get("enabled") is body["enabled"] and wanted.items() <= parameters.items()


@app.command()
def show(
    which: WhichSubscription, config: ConfigFile = None, binding: InBinding = None, *, as_json: AsJson = False
) -> None:
    """Show whether payload logging is on, the payload table's name and its columns."""
    with session.plane(config) as plane:
        found = subscription_of(plane, which, binding)
        configuration, columns = plane.configuration(found), plane.table_schema(found)
    if as_json:
        document({"id": found.id, **configuration, "table_schema": columns})
        return
    parameters = configuration.get("parameters") or {}
    on = "enabled" if configuration.get("enabled") else "disabled"
    pairs({"subscription": found.id, "payload logging": on, "table": parameters.get("table_name")})
    names = ("COLUMN", "TYPE", "NULLABLE", "ROLE")
    table(names, [(each.get("name"), each.get("type"), each.get("nullable"), _role(each)) for each in columns])


def _role(column: dict[str, Any]) -> object:
    return (column.get("metadata") or {}).get("modeling_role")
