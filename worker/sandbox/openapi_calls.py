"""What each call of the sandbox takes and answers, for its own description (`openapi.py`).

Told by hand, beside the routes; that it is true is what the fuzzer checks in `tests/sandbox`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from worker.sandbox import bindings, configurations, discovery, marts, payloads, subscription_files, subscriptions
from worker.sandbox import transactions as transactions_
from worker.sandbox.openapi_call import DATABASE as _DATABASE
from worker.sandbox.openapi_call import DELETED as _DELETED
from worker.sandbox.openapi_call import FORCE as _FORCE
from worker.sandbox.openapi_call import Call, Query
from worker.sandbox.openapi_call import ok as _ok
from worker.sandbox.openapi_schemas import FLAG, FORM, TEXT, WHOLE, list_of, ref
from worker.sandbox.tokens import IAM_PATH, PREAUTH_PATH
from worker.sandbox.v2.openapi import CALLS as V2_CALLS

if TYPE_CHECKING:
    from collections.abc import Mapping

_PAGE: Final[tuple[Query, ...]] = (("limit", WHOLE, False), ("offset", WHOLE, False))
_TABLE: Final[tuple[Query, ...]] = (("subscription_id", TEXT, True), ("data_mart_id", TEXT, False))
_FROM: Final[tuple[Query, ...]] = (*_TABLE, ("after", WHOLE, False), ("limit", WHOLE, False))
_TOKEN: Final = Call(
    _ok("Token"), ref("TokenRequest"), FORM, error={"anyOf": [ref("TokenError"), ref("Error")]},
    query=(("grant_type", TEXT, False), ("apikey", TEXT, False)),
)  # fmt: skip

CALLS: Final[Mapping[tuple[str, str], Call]] = {
    ("POST", IAM_PATH): _TOKEN,
    ("POST", PREAUTH_PATH): _TOKEN,
    ("GET", PREAUTH_PATH): Call(_ok("AccessToken"), errors=(401,), security="password"),
    ("DELETE", "/sandbox/tokens"): Call({204: None}),
    ("PUT", marts.PATH): Call(
        _ok("DataMart"), ref("DataMartGiven"), query=(_FORCE,), errors=(409, *_DATABASE), creates=True
    ),
    ("GET", marts.PATH): Call(_ok("DataMart")),
    ("DELETE", marts.PATH): Call(_DELETED, query=(_FORCE,), errors=_DATABASE),
    ("POST", bindings.LIST_PATH): Call({201: ref("Binding")}, ref("BindingGiven"), errors=(409, *_DATABASE)),
    ("GET", bindings.LIST_PATH): Call(_ok("Bindings")),
    ("GET", bindings.PATH): Call(_ok("Binding")),
    ("DELETE", bindings.PATH): Call(_DELETED, query=(_FORCE,), errors=_DATABASE),
    ("GET", discovery.PATH): Call(
        _ok("Deployments"), query=(("datamart_id", TEXT, False), ("limit", WHOLE, False))
    ),
    ("GET", subscriptions.LIST_PATH): Call(_ok("Subscriptions")),
    ("PUT", subscriptions.PATH): Call(
        {201: ref("Subscription")}, ref("SubscriptionGiven"), errors=(409, *_DATABASE)
    ),
    ("GET", subscriptions.PATH): Call(_ok("Subscription")),
    ("PATCH", subscriptions.PATH): Call(_ok("Subscription"), ref("Patch"), errors=_DATABASE),
    ("DELETE", subscriptions.PATH): Call(_DELETED, query=(_FORCE,), errors=_DATABASE),
    ("GET", subscription_files.PATH): Call(_ok("SubscriptionFile")),
    ("PUT", subscription_files.PATH): Call(_ok("Imported"), ref("SubscriptionFile"), errors=(409, *_DATABASE)),
    ("PUT", configurations.LOGGING_PATH): Call(_ok("LoggingConfiguration"), ref("Configuration"), errors=_DATABASE),
    ("GET", configurations.LOGGING_PATH): Call(_ok("LoggingConfiguration"), errors=_DATABASE),
    ("PUT", configurations.PERFORMANCE_PATH): Call(_ok("Configuration"), ref("Configuration"), errors=_DATABASE),
    ("GET", configurations.PERFORMANCE_PATH): Call(_ok("Configuration")),
    ("GET", configurations.SCHEMA_PATH): Call(_ok("TableSchema"), errors=_DATABASE),
    ("POST", payloads.PATH): Call(
        {202: ref("Taken"), 204: None}, ref("ScoringRecords"), errors=(409, 413, 415, *_DATABASE)
    ),
    ("GET", transactions_.PATH): Call(
        _ok("Transactions"),
        query=(("subscription_id", TEXT, True), *_PAGE, ("include_total_count", FLAG, False)),
        errors=_DATABASE,
    ),
    ("GET", "/sandbox/health"): Call(_ok("Health")),
    ("GET", "/sandbox/stats"): Call(_ok("Stats"), errors=_DATABASE),
    ("GET", "/sandbox/received"): Call(_ok("ReceivedIds"), query=_FROM, errors=_DATABASE),
    ("GET", "/sandbox/rows"): Call(_ok("Rows"), query=(*_FROM, ("scoring_id", TEXT, False)), errors=_DATABASE),
    ("GET", "/sandbox/records"): Call(_ok("Records"), query=_FROM, errors=_DATABASE),
    ("GET", "/sandbox/errors"): Call(_ok("Errors"), query=(*_TABLE, ("limit", WHOLE, False)), errors=_DATABASE),
    ("POST", "/sandbox/assets"): Call({201: ref("AssetsTold")}, ref("AssetsGiven")),
    ("GET", "/sandbox/assets"): Call(_ok("Assets")),
    ("POST", "/sandbox/faults"): Call(
        {201: ref("Faults")}, {"anyOf": [ref("FaultGiven"), list_of(ref("FaultGiven"))]}
    ),
    ("GET", "/sandbox/faults"): Call(_ok("Faults")),
    ("DELETE", "/sandbox/faults"): Call({204: None}),
    **V2_CALLS,
}  # fmt: skip
