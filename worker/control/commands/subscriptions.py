"""`mart subscriptions …`: the assets that are watched."""

import csv
from typing import Annotated

import typer

from worker.control import session
from worker.control.bodies import Columns
from worker.control.changes import Deed, WantedSubscription, await_end, subscription_steps
from worker.control.commands.flags import AsJson, ConfigFile, DryRun, InBinding, Wait, WhichSubscription, Yes
from worker.control.engines import short
from worker.control.errors import ControlError
from worker.control.found import Subscription
from worker.control.lookups import binding_of, subscription_of, subscriptions
from worker.control.masking import masked
from worker.control.screen import document, line, pairs, table, told
from worker.control.wanted import InputType, ProblemType

app = typer.Typer(help="Subscribe assets, look at subscriptions, end them.", no_args_is_help=True)

_BY_COMMAS = "names by commas (as CSV, so quotes may hold one); the flag may be given again"
Names = list[str] | None


@app.command()
def add(
    asset: Annotated[str, typer.Argument(help="The asset's id or name, as the engine has it: see mart assets.")],
    *,
    config: ConfigFile = None,
    binding: InBinding = None,
    deployment: Annotated[str | None, typer.Option(help="One of the asset's deployments: its id or name.")] = None,
    input_data_type: Annotated[InputType | None, typer.Option(help="What a request holds.")] = None,
    problem_type: Annotated[ProblemType | None, typer.Option(help="What the model does.")] = None,
    label: Annotated[str | None, typer.Option(help="The column of the truth in the training data.")] = None,
    prediction: Annotated[str | None, typer.Option(help="The column of the prediction.")] = None,
    probability: Annotated[Names, typer.Option(help=f"Columns of probabilities: {_BY_COMMAS}.")] = None,
    features: Annotated[Names, typer.Option(help=f"Feature columns, in the model's order: {_BY_COMMAS}.")] = None,
    categorical: Annotated[Names, typer.Option(help=f"Those that hold categories: {_BY_COMMAS}.")] = None,
    yes: Yes = False,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Subscribe an asset, and enable payload logging and performance monitoring.

    Azure and SageMaker need the input data type, the problem type, the label and the prediction; a custom engine the
    prediction. What the engine itself tells need not be said.
    """
    said = Columns(
        input_data_type, problem_type, label, prediction, _names(probability), _names(features), _names(categorical)
    )
    with session.plane(config, dry=dry_run) as plane:
        of = binding_of(plane, binding, asset)
        steps = list(
            subscription_steps(plane, WantedSubscription(asset, said, deployment), of, plane.subscriptions(of))
        )
        if other := [step for step in steps if step.deed is Deed.CHANGE]:
            raise ControlError(
                f"{other[0].what} is there already with other {other[0].detail}; change it by mart apply"
            )
        new = steps[0].deed is Deed.ADD
        if len(steps) > 1:
            session.agreed(
                f"{'Add the' if new else 'Enable payload logging of the'} {steps[0].what}?", yes=yes or dry_run
            )
        made, *_ = [step.act() for step in steps]
        done = "is added" if new else "is there already; nothing was changed"
        done = "was there already; its monitors are enabled" if len(steps) > 1 and not new else done
        told(plane, f"subscription {made}: {done}", {"id": made, "changed": len(steps) > 1}, as_json=as_json)


def _names(given: Names) -> tuple[str, ...]:
    """Names out of lines of CSV; one that is there twice is there once."""
    try:
        return tuple(
            dict.fromkeys(
                name for row in csv.reader(given or [], skipinitialspace=True, strict=True) for name in row if name
            )
        )
    except csv.Error:
        raise typer.BadParameter("a quote in names that is not closed") from None


@app.command("list")
def list_all(config: ConfigFile = None, binding: InBinding = None, *, as_json: AsJson = False) -> None:
    """List the subscriptions."""
    with session.plane(config) as plane:
        found = subscriptions(plane, binding)
        if as_json:
            document([each.raw for each in found])
        else:
            names = ("ID", "BINDING", "ENGINE", "ASSET", "ASSET NAME", "DEPLOYMENTS", "LOGGING")
            table(names, [_row(each) for each in found])


def _row(each: Subscription) -> tuple[str, ...]:
    deployments = ", ".join(deployment["deployment_id"] for deployment in each.deployments)
    of = each.binding
    logging = "on" if each.logging else "off"
    return each.id, of.name or of.id, short(of.service_type), each.asset_id, each.asset_name, deployments, logging


@app.command()
def uids(config: ConfigFile = None, binding: InBinding = None, *, as_json: AsJson = False) -> None:
    """Print the ids of the subscriptions, one a line."""
    with session.plane(config) as plane:
        found = [each.id for each in subscriptions(plane, binding)]
        if as_json:
            document(found)
        for each in [] if as_json else found:
            line(each)


@app.command()
def show(
    which: WhichSubscription, config: ConfigFile = None, binding: InBinding = None, *, as_json: AsJson = False
) -> None:
    """Show a subscription: what of, which columns, which monitors are on."""
    with session.plane(config) as plane:
        found = plane.subscription(subscription_of(plane, which, binding))
        if as_json:
            document(found.raw)
            return
        on = [each["type"] for each in found.raw["entity"].get("configurations") or () if each.get("enabled")]
        deployments = ", ".join(each["deployment_id"] for each in found.deployments)
        named = {"id": found.id, "binding": f"{found.binding.id} ({found.binding.name})"}
        named |= {"engine": short(found.binding.service_type), "asset": f"{found.asset_id} ({found.asset_name})"}
        kept = {key: value for key, value in masked(found.properties).items() if not key.endswith("_schema")}
        pairs({**named, "deployments": deployments, **kept, "monitors": ", ".join(map(str, on))})


@app.command()
def delete(
    which: WhichSubscription,
    config: ConfigFile = None,
    binding: InBinding = None,
    wait: Wait = 120,
    *,
    yes: Yes = False,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Delete a subscription; returns when it is listed no more. Events of its asset are dead-lettered from then on."""
    with session.plane(config, dry=dry_run) as plane:
        found = subscription_of(plane, which, binding)
        question = f"Delete the subscription {found.id} of the asset {found.asset_id}?"
        session.agreed(question, yes=yes or dry_run, deleting=True)
        plane.delete_subscription(found)

        def gone() -> bool:
            return dry_run or found.id not in {each.id for each in plane.subscriptions(found.binding)}

        await_end(gone, f"the subscription {found.id}", wait)
        told(plane, f"subscription {found.id}: is deleted", {"id": found.id, "changed": True}, as_json=as_json)
