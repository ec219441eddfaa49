"""What each call of v2 takes and answers, for the sandbox's own description (contract §8).

What v2 shares with v1 is told by the schemas of v1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.openapi_call import DATABASE, DELETED, FORCE, Call, ok
from worker.sandbox.openapi_schemas import (
    ANYTHING,
    FLAG,
    FORM,
    NAME,
    TEXT,
    WHOLE,
    both,
    exactly,
    list_of,
    or_null,
    perhaps,
    ref,
)
from worker.sandbox.seed import DATA_MART_ID
from worker.sandbox.v2 import data_sets, entrance, marts, monitors, providers, records, subscriptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.sandbox.openapi_schemas import Schema

_METADATA: Final = both(exactly(id=NAME, url=NAME, created_at=TEXT), perhaps(modified_at=TEXT))
_ACTIVE: Final = exactly(state={"const": "active"})
_TARGET: Final = exactly(target_id=NAME, target_type={"const": "subscription"})
_DEPLOYMENT: Final = exactly(deployment_id=NAME, name=TEXT, deployment_type=TEXT)
_DATA_MART: Final[Schema] = {"type": "string", "enum": [DATA_MART_ID]}
_ERROR: Final = both(exactly(code=TEXT, message=TEXT), perhaps(parameters=list_of(TEXT)))
_MAYBE: Final = or_null(TEXT)


def _told(**entity: Schema) -> Schema:
    """A thing as v2 tells it."""
    return exactly(metadata=_METADATA, entity=exactly(**entity))


SCHEMAS: Final[dict[str, Any]] = {
    "V2DataMartGiven": {
        "anyOf": [
            both(exactly(internal_database={"const": True}), perhaps(name=_MAYBE, description=_MAYBE)),
            both(
                exactly(
                    database_configuration=both(
                        exactly(database_type={"enum": ["postgresql", "db2"]}, credentials=ANYTHING),
                        perhaps(location=perhaps(schema_name=TEXT)),
                    )
                ),
                perhaps(name=_MAYBE, description=_MAYBE),
            ),
        ]
    },
    "V2DataMart": exactly(
        metadata=_METADATA,
        entity=both(
            exactly(name=TEXT, status=_ACTIVE),
            perhaps(
                internal_database={"const": True},
                database_configuration=both(
                    exactly(credentials=exactly(secret_id=TEXT)), perhaps(location=perhaps(schema_name=TEXT))
                ),
            ),
        ),
    ),
    "V2DataMarts": exactly(data_marts=list_of(ref("V2DataMart"))),
    "V2ProviderGiven": both(
        exactly(
            name=NAME,
            service_type={"enum": ["custom_machine_learning", "azure_machine_learning_studio", "amazon_sagemaker"]},
        ),
        perhaps(credentials=ANYTHING, request_headers=ANYTHING, description=_MAYBE, operational_space_id=_MAYBE),
    ),
    "V2Provider": {
        **_told(name=TEXT, service_type=TEXT, instance_id=TEXT, status=_ACTIVE),
        "not": {"properties": {"entity": {"required": ["credentials"]}}},
    },
    "V2Providers": exactly(service_providers=list_of(ref("V2Provider"))),
    "V2SubscriptionGiven": both(
        exactly(
            data_mart_id=_DATA_MART, service_provider_id=NAME,
            asset=both(
                exactly(asset_id=NAME, asset_type=TEXT),
                perhaps(name=_MAYBE, url=_MAYBE, problem_type=_MAYBE, input_data_type=_MAYBE),
            ),
            deployment=_DEPLOYMENT,
        ),
        perhaps(asset_properties=ANYTHING),
    ),
    "V2Subscription": _told(
        data_mart_id=TEXT, service_provider_id=TEXT, asset=exactly(asset_id=NAME, name=TEXT, asset_type=TEXT),
        asset_properties=ANYTHING, deployment=exactly(deployment_id=NAME), status=_ACTIVE,
    ),
    "V2Subscriptions": exactly(subscriptions=list_of(ref("V2Subscription"))),
    "V2Definition": _told(name=TEXT, metrics={"type": "array"}, tags={"type": "array"}),
    "V2Definitions": exactly(monitor_definitions=list_of(ref("V2Definition"))),
    "V2MonitorGiven": both(
        exactly(data_mart_id=_DATA_MART, monitor_definition_id={"enum": list(monitors.NAMES)}, target=_TARGET),
        perhaps(parameters=ANYTHING),
    ),
    "V2Monitor": _told(
        data_mart_id=TEXT, monitor_definition_id=TEXT, target=_TARGET, parameters=ANYTHING, status=_ACTIVE
    ),
    "V2Monitors": exactly(monitor_instances=list_of(ref("V2Monitor"))),
    "V2DataSet": _told(
        data_mart_id=TEXT, name=TEXT, type={"const": data_sets.KIND}, target=_TARGET,
        data_schema=exactly(
            type={"const": "struct"}, fields=list_of(exactly(name=TEXT, type={}, nullable=FLAG, metadata=ANYTHING))
        ),
        location=exactly(table_name=TEXT), status=exactly(state={"enum": ["active", "disabled"]}),
    ),
    "V2DataSets": exactly(data_sets=list_of(ref("V2DataSet"))),
    "V2Record": both(
        exactly(request={}, response={}),
        perhaps(
            scoring_id=NAME, scoring_timestamp=TEXT, response_time=WHOLE, user_id=TEXT, asset_revision=TEXT,
            multiple_records=FLAG,
        ),
    ),
    "V2RecordsGiven": {"minItems": 1} | list_of({"anyOf": [ref("V2Record"), ANYTHING]}),
    "V2Taken": exactly(state={"const": "preparing"}),
    "V2Request": both(
        exactly(state={"enum": ["preparing", "active", "error"]}),
        perhaps(failure=exactly(trace=TEXT, errors=list_of(_ERROR))),
    ),
    "V2Records": both(
        exactly(
            records=list_of(
                {
                    "anyOf": [
                        exactly(metadata=_METADATA, entity=exactly(values=ANYTHING)),
                        exactly(fields=list_of(TEXT), values={"type": "array"}),
                    ]
                }
            )
        ),
        perhaps(total_count=WHOLE),
    ),
    "V2AuthorizeGiven": both(
        exactly(username=NAME), perhaps(password=_MAYBE, api_key=_MAYBE)
    ),
    "V2Authorized": exactly(token=TEXT, message=TEXT),
    "V2IdentityGiven": exactly(grant_type={"const": "password"}, username=NAME, password=NAME, scope=TEXT),
    "V2Identity": exactly(access_token=TEXT, token_type=TEXT, expires_in={"type": "number"}),
    "V2Entitlements": exactly(entitlements=exactly(ai_openscale=list_of(exactly(id=TEXT, plan_name=TEXT)))),
}  # fmt: skip


def _texts(*names: str) -> tuple[tuple[str, Schema, bool], ...]:
    return tuple((name, TEXT, False) for name in names)


_UPLOAD: Final = (
    ("header", FLAG, False), ("skip", WHOLE, False), ("limit", WHOLE, False), ("delimiter", TEXT, False),
    ("on_error", {"enum": ["stop", "continue"]}, False), ("csv_max_line_length", WHOLE, False),
)  # fmt: skip
_READ: Final = (
    ("limit", WHOLE, False), ("offset", WHOLE, False), ("include_total_count", FLAG, False),
    ("format", {"enum": ["dict", "list"]}, False), *_texts("filter", "order", "seed", "start", "end", "includes"),
)  # fmt: skip
_TARGETS: Final = _texts("type", "target.target_id", "target.target_type")

CALLS: Final[Mapping[tuple[str, str], Call]] = {
    ("POST", entrance.AUTHORIZE_PATH): Call(ok("V2Authorized"), ref("V2AuthorizeGiven"), errors=(401,)),
    ("POST", entrance.IDENTITY_PATH): Call(ok("V2Identity"), ref("V2IdentityGiven"), FORM, errors=(401,)),
    ("GET", entrance.ENTITLEMENTS_PATH): Call(ok("V2Entitlements")),
    ("POST", marts.LIST_PATH): Call(
        {201: ref("V2DataMart")}, ref("V2DataMartGiven"), query=(FORCE,), errors=(409, *DATABASE), creates=True
    ),
    ("GET", marts.LIST_PATH): Call(ok("V2DataMarts")),
    ("GET", marts.PATH): Call(ok("V2DataMart")),
    ("PATCH", marts.PATH): Call(ok("V2DataMart"), ref("Patch"), errors=DATABASE),
    ("DELETE", marts.PATH): Call(DELETED, query=(FORCE,), errors=DATABASE),
    ("POST", providers.LIST_PATH): Call({201: ref("V2Provider")}, ref("V2ProviderGiven"), errors=DATABASE),
    ("GET", providers.LIST_PATH): Call(ok("V2Providers"), query=_texts("service_type")),
    ("GET", providers.PATH): Call(ok("V2Provider")),
    ("DELETE", providers.PATH): Call(DELETED, query=(FORCE,), errors=DATABASE),
    ("POST", subscriptions.LIST_PATH): Call(
        {201: ref("V2Subscription")}, ref("V2SubscriptionGiven"), errors=DATABASE
    ),
    ("GET", subscriptions.LIST_PATH): Call(ok("V2Subscriptions"), query=_texts(*subscriptions.FILTERS)),
    ("GET", subscriptions.PATH): Call(ok("V2Subscription")),
    ("DELETE", subscriptions.PATH): Call(DELETED, query=(FORCE,), errors=DATABASE),
    ("GET", monitors.DEFINITIONS_PATH): Call(ok("V2Definitions")),
    ("GET", monitors.DEFINITION_PATH): Call(ok("V2Definition")),
    ("POST", monitors.LIST_PATH): Call({201: ref("V2Monitor")}, ref("V2MonitorGiven"), errors=DATABASE),
    ("GET", monitors.LIST_PATH): Call(
        ok("V2Monitors"), query=_texts("monitor_definition_id", "target.target_id")
    ),
    ("GET", monitors.PATH): Call(ok("V2Monitor")),
    ("GET", data_sets.LIST_PATH): Call(ok("V2DataSets"), query=_TARGETS, errors=DATABASE),
    ("GET", data_sets.PATH): Call(ok("V2DataSet"), errors=DATABASE),
    ("POST", records.PATH): Call(
        {202: ref("V2Taken")}, ref("V2RecordsGiven"), query=_UPLOAD, errors=(413, 415, *DATABASE)
    ),
    ("GET", records.PATH): Call(ok("V2Records"), query=_READ, errors=DATABASE),
    ("GET", records.REQUEST_PATH): Call(ok("V2Request")),
}  # fmt: skip
