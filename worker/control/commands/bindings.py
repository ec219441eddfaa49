"""`mart bindings …`: the engines that the data mart watches."""

from typing import Annotated

import typer

from worker.control import bodies, session
from worker.control.changes import add_or_keep, await_end
from worker.control.commands.flags import AsJson, ConfigFile, CredentialsFile, DryRun, Wait, Yes
from worker.control.credentials import engine_credentials
from worker.control.engines import ENGINES, EngineName, short
from worker.control.lookups import in_bindings
from worker.control.masking import masked
from worker.control.screen import document, pairs, table, told

app = typer.Typer(help="Bind scoring engines, look at them, let them go.", no_args_is_help=True)

Which = Annotated[str, typer.Argument(help="A binding's id or name.")]


@app.command()
def add(
    engine: Annotated[EngineName, typer.Argument(help="What the engine is.")],
    name: Annotated[str, typer.Option(help="What to call it.")],
    config: ConfigFile = None,
    credentials: CredentialsFile = None,
    binding_id: Annotated[str | None, typer.Option("--id", help="An id of your own.", show_default=False)] = None,
    *,
    yes: Yes = False,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Bind an engine.

    Its credentials are in a file, or in the environment: CUSTOM_ENGINE_URL, CUSTOM_ENGINE_USERNAME and
    CUSTOM_ENGINE_PASSWORD; AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, AZURE_SUBSCRIPTION_ID and AZURE_TENANT_ID;
    AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION; each may end in _FILE and name a file. Else they are asked
    for. A custom engine's id is derived from its URL and user: the same engine is not bound twice.
    """
    with session.plane(config, dry=dry_run) as plane:
        ask = session.asked if session.at_terminal() else None
        given = engine_credentials(ENGINES[engine], credentials, session.environment(), ask)
        body = bodies.binding(ENGINES[engine], name, given, binding_id)
        session.agreed(f"Add the binding {name} ({engine}, {body['instance_id']})?", yes=yes or dry_run)
        made = add_or_keep(plane, ENGINES[engine], given, body)
        text = f"binding {body['instance_id']}: {'is added' if made else 'is there already; nothing was changed'}"
        told(plane, text, {"id": body["instance_id"], "changed": made}, as_json=as_json)


@app.command("list")
def list_all(config: ConfigFile = None, *, as_json: AsJson = False) -> None:
    """List the bindings."""
    with session.plane(config) as plane:
        found = plane.bindings()
        if as_json:
            document([each.raw for each in found])
        else:
            created = [each.raw["metadata"].get("created_at") for each in found]
            rows = [(each.id, each.name, short(each.service_type)) for each in found]
            table(("ID", "NAME", "ENGINE", "CREATED"), [(*row, at) for row, at in zip(rows, created, strict=True)])


@app.command()
def show(which: Which, config: ConfigFile = None, *, as_json: AsJson = False) -> None:
    """Show a binding, its secrets masked."""
    with session.plane(config) as plane:
        (found,) = in_bindings(plane, which)
        if as_json:
            document(found.raw)
            return
        entity = masked(found.raw["entity"])
        headers = {f"request_headers.{key}": value for key, value in (entity.get("request_headers") or {}).items()}
        shown = {f"credentials.{key}": value for key, value in (entity.get("credentials") or {}).items()}
        status = entity.get("status") or {}
        named = {"id": found.id, "name": found.name, "engine": short(found.service_type), **shown, **headers}
        pairs({**named, "created": found.raw["metadata"].get("created_at"), "state": status.get("state")})


@app.command()
def delete(
    which: Which,
    config: ConfigFile = None,
    wait: Wait = 180,
    *,
    yes: Yes = False,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Delete a binding with its subscriptions; returns when it is gone."""
    with session.plane(config, dry=dry_run) as plane:
        (found,) = in_bindings(plane, which)
        lost = len(plane.subscriptions(found))
        question = f"Delete the binding {found.id} ({found.name}) and its subscriptions, {lost} of them?"
        session.agreed(question, yes=yes or dry_run, deleting=True)
        plane.delete_binding(found.id)
        await_end(lambda: dry_run or plane.binding(found.id) is None, f"the binding {found.id}", wait)
        told(plane, f"binding {found.id}: is deleted", {"id": found.id, "changed": True}, as_json=as_json)
