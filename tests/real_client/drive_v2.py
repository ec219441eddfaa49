"""What `drive.py` does with IBM's SDK of the v2 API, unpatched: from no data mart to rows, and back.

Runs in the SDK's own environment and so imports nothing of this project. Discovery is left out: the SDK asks for it by
https alone. It waits 5 s before every answer that it waits for, and so is told to wait only where that is the point.
"""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Step = Callable[[str, Callable[[], Any]], Any]

Plan = dict[str, Any]


def whole(plan: Plan, steps: Step) -> None:
    """Everything, in the order in which people do it."""
    client = steps("client", lambda: client_of(plan))
    mart = client.service_instance_id
    steps("instance", lambda: mart)
    steps("marts before", lambda: plain(client.data_marts.list()))
    if plan["adds_mart"]:
        steps("mart", lambda: plain(client.data_marts.add(name="loans", internal_database=True)))
    steps("marts printed", client.data_marts.show)
    provider = provide(client, plan, steps)
    subscription = subscribe(client, plan, mart, provider, steps)
    data_set = find(client, subscription, steps)
    store(client.data_sets, data_set, plan, steps)
    read(client.data_sets, data_set, steps)
    take_down(client, provider, subscription, steps)


def of(module: str, name: str, /, *args: Any, **kwargs: Any) -> Any:
    """An object of one of the SDK's own classes."""
    return getattr(importlib.import_module(module), name)(*args, **kwargs)


def model(name: str, /, **kwargs: Any) -> Any:
    """One of the objects that its calls take."""
    return of("ibm_watson_openscale.base_classes.watson_open_scale_v2", name, **kwargs)


def plain(answer: Any) -> Any:
    """What an answer says, as JSON has it."""
    return answer.result.to_dict()


def client_of(plan: Plan) -> Any:
    """The SDK, let in by IAM or by CP4D."""
    core, url, key = "ibm_cloud_sdk_core.authenticators", plan["url"], plan["key"]
    if plan["auth"] == "iam":
        authenticator = of(core, "IAMAuthenticator", key, url=url)
    elif plan["auth"] == "bearer":
        token = of(core, "IAMAuthenticator", key, url=url).token_manager.get_token()
        authenticator = of(core, "BearerTokenAuthenticator", token)
    else:
        authenticator = of(core, "CloudPakForDataAuthenticator", username="admin", password=key, url=url)
    named = {"service_instance_id": plan["instance"]} if plan["instance"] else {}
    return of("ibm_watson_openscale", "APIClient", authenticator=authenticator, service_url=url, **named)


def provide(client: Any, plan: Plan, steps: Step) -> str:
    """A service provider; a second one of its name is refused by the SDK itself."""
    credentials = model("CustomCredentials", **plan["credentials"])

    def add() -> Any:
        return client.service_providers.add(
            name="engine", service_type="custom_machine_learning", credentials=credentials
        ).result

    made = steps("provider", add)
    own = str(made.metadata.id)
    steps("provider again", add)
    steps("provider details", lambda: plain(client.service_providers.get(own)))
    steps("providers", lambda: plain(client.service_providers.list(service_type="custom_machine_learning")))
    steps("providers printed", client.service_providers.show)
    return own


def subscribe(client: Any, plan: Plan, mart: str, provider: str, steps: Step) -> str:
    """A subscription of an asset that is told by hand."""
    told = {
        "asset": model("Asset", **plan["asset"]),
        "deployment": model("AssetDeploymentRequest", **plan["deployment"]),
        "asset_properties": model("AssetPropertiesRequest", **plan["asset_properties"]),
    }
    made = steps(
        "subscription",
        lambda: client.subscriptions.add(data_mart_id=mart, service_provider_id=provider, **told).result,
    )
    own = str(made.metadata.id)
    steps("subscription details", lambda: plain(client.subscriptions.get(own)))
    steps("subscriptions", lambda: plain(client.subscriptions.list()))
    steps("subscriptions printed", client.subscriptions.show)
    steps("monitors", lambda: plain(client.monitor_instances.list(target_target_id=own)))
    return own


def find(client: Any, subscription: str, steps: Step) -> str:
    """The data set that the data mart made for the subscription."""
    query = {"type": "payload_logging", "target_target_id": subscription, "target_target_type": "subscription"}
    found = steps("data sets", lambda: plain(client.data_sets.list(**query)))
    steps("data sets printed", client.data_sets.show)
    return str(found["data_sets"][0]["metadata"]["id"])


def store(data_sets: Any, data_set: str, plan: Plan, steps: Step) -> None:
    """Records that are stored, ones of which one is no row, and CSV; of the first two the end is waited for."""
    steps("count before", lambda: data_sets.get_records_count(data_set))
    steps("store", lambda: ended(data_sets, data_set, plan["records"]))
    steps("count", lambda: data_sets.get_records_count(data_set))
    steps("store what is no row", lambda: ended(data_sets, data_set, [*plan["records"], *plan["no_rows"]]))
    steps("count after", lambda: data_sets.get_records_count(data_set))
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "rows.csv"
        path.write_text(plan["csv"], "utf-8")
        with path.open("rb") as rows:
            form = {"header": True, "delimiter": ",", "csv_max_line_length": 10_000}
            steps("csv", lambda: plain(data_sets.store_records(data_set, rows, **form)))


def ended(data_sets: Any, data_set: str, told: list[Plan]) -> Any:
    """Store records with the SDK's own class; its request's status, which is what it waited for."""
    name = "ibm_watson_openscale.supporting_classes.payload_record"
    records = [of(name, "PayloadRecord", **each) for each in told]
    return plain(data_sets.store_records(data_set, records, background_mode=False))


def read(data_sets: Any, data_set: str, steps: Step) -> None:
    """The rows in every form that the SDK has."""
    steps("records printed", lambda: data_sets.show_records(data_set))
    steps("schema printed", lambda: data_sets.print_records_schema(data_set))
    steps("dicts", lambda: data_sets.get_list_of_records(data_set, include_total_count=True).result)
    steps("lists", lambda: data_sets.get_list_of_records(data_set, format="list", limit=1).result)
    asked = {"filter": "age:gte:32", "order": "age:desc", "output_type": "pandas"}
    steps("frame", lambda: data_sets.get_list_of_records(data_set, **asked).result.to_dict("list"))


def take_down(client: Any, provider: str, subscription: str, steps: Step) -> None:
    """Everything is deleted, and looked for again."""
    steps("delete subscription", lambda: client.subscriptions.delete(subscription).status_code)
    steps("no subscription", lambda: client.subscriptions.get(subscription))
    steps("delete provider", lambda: client.service_providers.delete(provider).status_code)
    steps("delete mart", lambda: client.data_marts.delete(client.service_instance_id, force=True).status_code)
    steps("no marts", lambda: plain(client.data_marts.list()))
