"""Drives data marts with IBM's own client, unpatched: plans on standard input, what happened on standard output.

Runs in the client's own environment and so imports nothing of this project. A plan is a line of JSON, and is answered
by a line. What happened is a list of steps in order,
`{"step", "value", "printed", "error"}`: what the call returned, what it printed (the client's tables are printed, not
returned), and how it failed, `{"type", "status", "message"}` or null. A step that fails does not end the plan.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import sys
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

Plan = dict[str, Any]
# stored rows may show up a moment later
SHOWN_SECONDS: Final = 20.0


class Steps:
    """Calls, one after another, and what became of them."""

    def __init__(self) -> None:
        self.done: list[dict[str, Any]] = []

    def __call__(self, name: str, call: Callable[[], Any]) -> Any:
        """Make a call; its value, or None where it raised."""
        value, error, printed = None, None, io.StringIO()
        with contextlib.redirect_stdout(printed):
            try:
                value = call()
            except Exception as raised:  # noqa: BLE001 - whatever it was, it is what this program has to tell
                error = _error(raised)
        self.done.append({"step": name, "value": value, "printed": printed.getvalue(), "error": error})
        return value


def _error(raised: Exception) -> dict[str, Any]:
    status = getattr(getattr(raised, "response", None), "status_code", None)
    return {"type": type(raised).__name__, "status": status, "message": str(raised)}


def client_of(plan: Plan) -> Any:
    """IBM's client, with the plan's credentials; it writes the data mart's id into them."""
    return getattr(importlib.import_module("ibm_ai_openscale"), plan["client"])(plan["credentials"])


def made(module: str, name: str, *args: Any, **kwargs: Any) -> Any:
    """An object of one of the client's own classes."""
    return getattr(importlib.import_module(f"ibm_ai_openscale.{module}"), name)(*args, **kwargs)


def whole(plan: Plan, steps: Steps) -> None:
    """The documents' way, from no data mart to rows, and back to nothing."""
    client = steps("client", lambda: client_of(plan))
    steps("credentials", lambda: plan["credentials"])
    mart = client.data_mart
    set_up(mart, plan["setup"], steps)
    binding = bind(mart, plan["binding"], steps)
    look_for_assets(mart, binding, steps)
    subscription = subscribe(mart, plan["asset"], binding, steps)
    look_at_subscriptions(mart, subscription, steps)
    switch(subscription.payload_logging, plan, steps)
    store(subscription.payload_logging, plan, steps)
    look_at_rows(subscription.payload_logging, steps)
    update(mart, subscription, plan, steps)
    take_down(mart, binding, subscription, steps)


def set_up(mart: Any, told: Plan, steps: Steps) -> None:
    """A data mart that is there already is a warning, not an error."""
    steps("setup", lambda: mart.setup(**told))
    steps("setup again", lambda: mart.setup(**told))
    steps("mart", mart.get_details)


def bind(mart: Any, told: Plan, steps: Steps) -> Any:
    """A binding; `again` is the same instance a second time."""
    bindings = mart.bindings
    instance = made("engines", told["class"], told["credentials"])
    binding = steps("binding", lambda: bindings.add(told["name"], instance))
    steps("binding again", lambda: bindings.add(told["name"], instance))
    steps("instance", lambda: instance.source_uid)
    steps("binding details", lambda: bindings.get_details(binding))
    steps("bindings", bindings.get_details)
    steps("binding uids", bindings.get_uids)
    steps("bindings listed", bindings.list)
    return binding


def look_for_assets(mart: Any, binding: str, steps: Steps) -> None:
    """Everything that discovery feeds."""
    steps("assets", lambda: mart.bindings.get_asset_details(binding_uid=binding))
    steps("asset uids", mart.bindings.get_asset_uids)
    steps("assets listed", mart.bindings.list_assets)
    steps("deployments", lambda: mart.bindings.get_asset_deployment_details(binding_uid=binding))
    steps("deployments listed", mart.bindings.list_asset_deployments)


def subscribe(mart: Any, told: Plan, binding: str | None, steps: Steps) -> Any:
    """A subscription; without a binding the client looks for the asset in all of them."""
    arguments = told["arguments"] | ({} if binding is None else {"binding_uid": binding})

    def add(**change: str) -> Any:
        return mart.subscriptions.add(made("engines", told["class"], **arguments | change))

    steps("unknown asset", lambda: add(source_uid="none"))
    return steps("subscription", add)


def look_at_subscriptions(mart: Any, subscription: Any, steps: Steps) -> None:
    """Every way to look at one."""
    steps("subscription details", lambda: mart.subscriptions.get_details(subscription.uid))
    steps("subscription's own details", subscription.get_details)
    steps("subscriptions", mart.subscriptions.get_details)
    steps("subscription uids", mart.subscriptions.get_uids)
    steps("subscriptions listed", mart.subscriptions.list)
    steps("subscription by name", lambda: mart.subscriptions.get(name="loans").uid)
    steps("deployment uids", subscription.get_deployment_uids)
    steps("subscription's deployments listed", subscription.list_deployments)
    steps("assets subscribed", mart.bindings.get_asset_details)


def switch(logging: Any, plan: Plan, steps: Steps) -> None:
    """Payload logging off and on again; while it is off, nothing is taken."""
    steps("logging", logging.get_details)
    steps("disable", logging.disable)
    steps("disable again", logging.disable)
    steps("logging disabled", logging.get_details)
    steps("store while disabled", lambda: logging.store(records_of(plan["records"])))
    steps("enable", lambda: logging.enable(dynamic_schema_update=True))
    steps("logging enabled", logging.get_details)


def store(logging: Any, plan: Plan, steps: Steps) -> None:
    """The plan's records, and then those that are no rows."""
    steps("count before", logging.get_records_count)
    steps("store", lambda: logging.store(records_of(plan["records"])))
    steps("count", lambda: counted(logging, plan["rows"]))
    steps("store what is no row", lambda: logging.store(records_of(plan["no_rows"])))
    steps("count after", logging.get_records_count)


def records_of(told: list[Plan]) -> list[Any]:
    """The client's own records, of their arguments."""
    return [made("supporting_classes", "PayloadRecord", **each) for each in told]


def counted(logging: Any, expected: int) -> int:
    """How many rows there are, as soon as there are as many as expected, or no more of them came."""
    deadline = time.monotonic() + SHOWN_SECONDS
    while (count := logging.get_records_count()) < expected and time.monotonic() < deadline:
        time.sleep(0.2)
    return int(count)


def look_at_rows(logging: Any, steps: Steps) -> None:
    """The payload table in every form that the client has."""
    steps("table printed", lambda: logging.show_table(limit=5))
    steps("schema printed", logging.print_table_schema)
    steps("table", lambda: logging.get_table_content(format="python"))
    steps("newest", lambda: logging.get_table_content(format="python", limit=1))
    steps("frame", lambda: logging.get_table_content(format="pandas").to_dict("split"))
    steps("table described", logging.describe_table)


def update(mart: Any, subscription: Any, plan: Plan, steps: Steps) -> None:
    """The subscription, the data mart's database, and the subscription as a file."""
    steps("update", lambda: subscription.update(**plan["update"]))
    steps("subscription updated", subscription.get_details)
    steps("mart updated", lambda: mart.update(**plan["move"]))
    steps("mart after", mart.get_details)
    steps("told", lambda: plan)
    steps("exported", lambda: mart.subscriptions.export_configuration(subscription.uid))


def take_down(mart: Any, binding: str, subscription: Any, steps: Steps) -> None:
    """Everything is deleted, and looked for again."""
    steps("delete subscription", lambda: mart.subscriptions.delete(subscription.uid))
    steps("no subscription", subscription.get_details)
    exported = next(each["value"] for each in steps.done if each["step"] == "exported")
    steps("imported", lambda: mart.subscriptions.import_configuration(exported, binding).get_details())
    steps("imported again", lambda: mart.subscriptions.import_configuration(exported, binding).uid)
    steps("delete binding", lambda: mart.bindings.delete(binding))
    steps("no binding", lambda: mart.bindings.get_details(binding))
    steps("no subscriptions", mart.subscriptions.get_uids)
    steps("delete mart", mart.delete)
    steps("no mart", mart.get_details)


def bound(plan: Plan, steps: Steps) -> None:
    """A data mart with a binding and a subscription for each of the plan's pairs."""
    mart = client_of(plan).data_mart
    mart.setup(internal_db=True)
    made_of = [subscribe(mart, each["asset"], bind(mart, each["binding"], steps), steps) for each in plan["pairs"]]
    steps("subscriptions", lambda: [[each.binding_uid, each.source_uid, each.uid] for each in made_of])


def refused(plan: Plan, steps: Steps) -> None:
    """Credentials that are wrong."""
    steps("client", lambda: client_of(plan))


def store_and_read(plan: Plan, steps: Steps) -> None:
    """The records of a subscription, the plan's own and those that others stored."""
    logging = client_of(plan).data_mart.subscriptions.get(plan["subscription"]).payload_logging
    if plan.get("records"):
        steps("store", lambda: logging.store(records_of(plan["records"])))
    steps("count", lambda: counted(logging, plan["rows"]))
    steps("table", lambda: logging.get_table_content(format="python", limit=None))
    steps("table printed", logging.show_table)


def v2(plan: Plan, steps: Steps) -> None:
    """All of `drive_v2.py`, which needs the other client."""
    importlib.import_module("drive_v2").whole(plan, steps)


WAYS: Final = {"v2": v2, "whole": whole, "bound": bound, "refused": refused, "rows": store_and_read}


def main() -> None:
    """One plan a line, until there are no more."""
    for line in sys.stdin:
        plan, steps = json.loads(line), Steps()
        WAYS[plan["what"]](plan, steps)
        sys.stdout.write(json.dumps(steps.done, default=_plain) + "\n")
        sys.stdout.flush()


def _plain(value: Any) -> Any:
    """A time as ISO 8601; any other object by its text."""
    return value.isoformat() if hasattr(value, "isoformat") else repr(value)


if __name__ == "__main__":
    main()
