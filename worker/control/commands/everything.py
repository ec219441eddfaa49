"""The data mart as a whole: set up, show, delete; what its engines have deployed; a file applied."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from worker.control import bodies, session
from worker.control.applying import steps_to, take
from worker.control.changes import Deed, Step, await_end
from worker.control.commands.flags import AsJson, ConfigFile, CredentialsFile, DryRun, InBinding, Wait, Yes
from worker.control.credentials import database_credentials
from worker.control.engines import short
from worker.control.errors import UNAVAILABLE, ControlError
from worker.control.found import Binding, Deployment
from worker.control.lookups import in_bindings
from worker.control.plane import Plane
from worker.control.screen import document, line, pairs, table, told
from worker.control.wanted import read_wanted
from worker.mart.client import MartError

_THERE = "is there already; --force gives it another database"


def setup(
    config: ConfigFile = None,
    credentials: CredentialsFile = None,
    schema: Annotated[str | None, typer.Option(help="The schema in the database for the data mart's tables.")] = None,
    *,
    internal: Annotated[bool, typer.Option("--internal", help="Use the service's own database.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Give a data mart that is there this database.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Make the data mart, in a PostgreSQL database or in the service's own.

    The database's credentials are in a file, or its URI in DATABASE_URL or DATABASE_URL_FILE, or it is asked for.
    """
    with session.plane(config, dry=dry_run) as plane:
        if internal and (credentials or schema):
            raise typer.BadParameter("--internal has neither credentials nor a schema of yours")
        made = force or plane.data_mart() is None
        if made:
            body = bodies.INTERNAL if internal else _database(credentials, schema)
            session.agreed(f"Set up the data mart {plane.data_mart_id}?", yes=yes or dry_run)
            made = plane.set_up(body, force=force)
            _see(plane)
        text = f"data mart {plane.data_mart_id}: {'is set up' if made else _THERE}"
        told(plane, text, {"data_mart_id": plane.data_mart_id, "changed": made}, as_json=as_json)


def _see(plane: Plane) -> None:
    """The answer to a set-up need not say anything, and a page of something in between would pass for it."""
    if plane.data_mart() is None and not plane.dry:
        raise ControlError(
            f"the data mart {plane.data_mart_id} was set up, but is not there; look again later", UNAVAILABLE
        )


def _database(credentials: Path | None, schema: str | None) -> dict[str, Any]:
    ask = session.asked if session.at_terminal() else None
    return bodies.database(database_credentials(credentials, session.environment(), ask), schema)


def show(config: ConfigFile = None, *, as_json: AsJson = False) -> None:
    """Show the data mart: its database, without credentials, and its state."""
    with session.plane(config) as plane:
        found = plane.data_mart()
        if found is None:
            raise ControlError(session.NO_DATA_MART.format(plane.data_mart_id), UNAVAILABLE)
        if as_json:
            document(found)
        else:
            pairs({"data mart": plane.data_mart_id, **_described(found)})


def _described(found: dict[str, Any]) -> dict[str, object]:
    database = found.get("database_configuration") or {}
    location, status = database.get("location") or {}, found.get("status") or {}
    internal = {"database": "internal"} if found.get("internal_database") else {}
    own = {"database": database.get("database_type"), "name": database.get("name"), "schema": location.get("schema")}
    return {**(internal or own), "state": status.get("state")}


def delete(
    config: ConfigFile = None,
    wait: Wait = 180,
    *,
    yes: Yes = False,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Delete the data mart with all that is in it, stored payloads too; returns when it is gone."""
    with session.plane(config, dry=dry_run) as plane:
        there = plane.data_mart() is not None
        if there:
            question = f"Delete the data mart {plane.data_mart_id} with its bindings, subscriptions and payloads?"
            session.agreed(question, yes=yes or dry_run, deleting=True)
            plane.delete_data_mart()
            await_end(lambda: dry_run or plane.data_mart() is None, f"the data mart {plane.data_mart_id}", wait)
        text = f"data mart {plane.data_mart_id}: {'is deleted' if there else 'is not there'}"
        told(plane, text, {"data_mart_id": plane.data_mart_id, "changed": there}, as_json=as_json)


def assets(config: ConfigFile = None, binding: InBinding = None, *, as_json: AsJson = False) -> None:
    """List what the bound engines have deployed, and whether it is subscribed."""
    with session.plane(config) as plane:
        found, silent = _discovered(plane, in_bindings(plane, binding))
        subscribed = {(each.binding.id, each.asset_id) for of in found for each in plane.subscriptions(of)}
        deployed = [each for of in found.values() for each in of]
        if as_json:
            document([{"binding_id": each.binding.id, **each.raw} for each in deployed])
        else:
            table(
                ("BINDING", "ENGINE", "ASSET", "ASSET NAME", "DEPLOYMENT", "SUBSCRIBED"),
                [(*_row(each), "yes" if (each.binding.id, each.asset_id) in subscribed else "no") for each in deployed],
            )
        if silent:
            raise ControlError(f"not all engines could be asked: {'; '.join(silent)}", UNAVAILABLE)


def _discovered(plane: Plane, bindings: Sequence[Binding]) -> tuple[dict[Binding, list[Deployment]], list[str]]:
    """What each binding's engine has, and what kept others from being asked: one must not hide all."""
    found: dict[Binding, list[Deployment]] = {}
    silent = []
    for each in bindings:
        try:
            found[each] = plane.deployments(each)
        except (MartError, ControlError) as error:
            silent.append(f"{each.name or each.id}: {error}")
    return found, silent


def _row(each: Deployment) -> tuple[str, ...]:
    of = each.binding
    return of.name or of.id, short(of.service_type), each.asset_id, each.asset_name, each.id


def apply(
    file: Annotated[Path, typer.Argument(help="TOML with the bindings and subscriptions that there are to be.")],
    config: ConfigFile = None,
    *,
    yes: Yes = False,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Bring about the bindings and subscriptions of a file, and say what that changes; a second time nothing.

    What the file does not name is left alone.
    """
    with session.plane(config, dry=dry_run) as plane:
        steps = steps_to(plane, read_wanted(file, session.environment()))
        changes = [step for step in steps if step.deed is not Deed.KEEP]
        if not as_json:
            table(("", "WHAT", "DETAIL"), [(step.deed.value, step.what, step.detail) for step in steps])
        if changes and not dry_run:
            session.agreed(f"Make {len(changes)} changes?", yes=yes)
        done = [] if dry_run else _taken(changes, as_json=as_json)
        if as_json:
            document({"dry_run": dry_run, "steps": [_step(each, dict(done).get(each)) for each in steps]})
        elif not changes:
            line("nothing to change")


def _taken(changes: Sequence[Step], *, as_json: bool) -> list[tuple[Step, str]]:
    """Take the steps, each told as it is done: if one fails, it is known what was done before."""
    done = []
    for step, made in take(changes):
        done.append((step, made))
        if not as_json:
            line(f"done: {step.deed.value} {step.what} ({made})")
    return done


def _step(step: Step, made: str | None) -> dict[str, Any]:
    found = {"deed": step.deed.value, "what": step.what, "detail": step.detail}
    return found | ({"id": made} if made else {})
