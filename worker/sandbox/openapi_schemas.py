"""The shapes in the sandbox's own description: what is sent and what is answered, as JSON Schema (contract §1 to §6).

They say what must be there; more may be, wherever the data mart keeps what it does not know.
"""

from __future__ import annotations

from typing import Any, Final

Schema = dict[str, Any]

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"

TEXT: Final[Schema] = {"type": "string"}
NAME: Final[Schema] = {"type": "string", "minLength": 1}
WHOLE: Final[Schema] = {"type": "integer", "minimum": 0}
FLAG: Final[Schema] = {"type": "boolean"}
ANYTHING: Final[Schema] = {"type": "object"}


def ref(name: str) -> Schema:
    """One of `SCHEMAS`."""
    return {"$ref": f"#/components/schemas/{name}"}


def content(schema: Schema, media_type: str) -> Schema:
    """A body of one type."""
    return {media_type: {"schema": schema}}


def exactly(**properties: Schema) -> Schema:
    """An object that has all of these."""
    return {"type": "object", "required": list(properties), "properties": properties}


def perhaps(**properties: Schema) -> Schema:
    """An object that may have these."""
    return {"type": "object", "properties": properties}


def both(one: Schema, other: Schema) -> Schema:
    """An object of two parts."""
    return {
        "type": "object",
        "required": one.get("required", []) + other.get("required", []),
        "properties": one["properties"] | other["properties"],
    }


def list_of(schema: Schema) -> Schema:
    """An array."""
    return {"type": "array", "items": schema}


def or_null(schema: Schema) -> Schema:
    """The same, or nothing."""
    return {"anyOf": [schema, {"type": "null"}]}


_PERHAPS_TEXT: Final = or_null(TEXT)
_METADATA: Final = exactly(guid=NAME, url=_PERHAPS_TEXT, created_at=_PERHAPS_TEXT)
_ACTIVE: Final = exactly(state={"const": "active"})
_SIDE: Final = perhaps(fields=list_of(TEXT), values={"type": "array"}, meta=ANYTHING)
_ASSET: Final = both(
    exactly(asset_id=NAME),
    perhaps(name=_PERHAPS_TEXT, url=_PERHAPS_TEXT, asset_type=_PERHAPS_TEXT, created_at=_PERHAPS_TEXT),
)
_DEPLOYMENT: Final = both(
    exactly(deployment_id=NAME),
    perhaps(name=_PERHAPS_TEXT, url=_PERHAPS_TEXT, deployment_type=_PERHAPS_TEXT, created_at=_PERHAPS_TEXT),
)
_COLUMN: Final = exactly(name=TEXT, type={}, nullable=FLAG, metadata=ANYTHING)
_CONFIGURED: Final = both(exactly(enabled=FLAG), perhaps(parameters=ANYTHING))
_COUNTS: Final = exactly(received=WHOLE, distinct=WHOLE, duplicates=WHOLE, seen=WHOLE, stored_rows=WHOLE, errors=WHOLE)

SCHEMAS: Final[dict[str, Schema]] = {
    "Error": {
        "type": "object",
        "required": ["trace", "errors"],
        "additionalProperties": False,
        "properties": {"trace": TEXT, "errors": {"minItems": 1} | list_of(exactly(code=TEXT, message=TEXT))},
    },
    "TokenError": exactly(errorCode=TEXT, errorMessage=TEXT, context=ANYTHING),
    "TokenRequest": exactly(grant_type={"const": "urn:ibm:params:oauth:grant-type:apikey"}, apikey=NAME),
    "Token": exactly(
        access_token=TEXT, refresh_token=TEXT, token_type={"const": "Bearer"}, expires_in={"type": "number"},
        expiration={"type": "number"}, scope=TEXT,
    ),
    "AccessToken": exactly(username=TEXT, role=TEXT, accessToken=TEXT, message=TEXT),
    "DataMartGiven": {
        "anyOf": [
            exactly(internal_database={"const": True}),
            exactly(
                database_configuration=both(
                    perhaps(
                        database_type={"enum": ["postgresql", "db2"]}, name=TEXT, credentials=ANYTHING,
                        location=perhaps(schema=TEXT),
                    ),
                    {"required": ["database_type"], "properties": {}},
                )
            ),
        ]
    },
    "DataMart": both(
        exactly(database_configuration=ANYTHING, status=_ACTIVE, service_instance_crn=TEXT),
        perhaps(internal_database={"const": True}),
    ),
    "BindingGiven": both(
        exactly(
            name=NAME,
            service_type={
                "enum": [
                    "custom_machine_learning", "azure_machine_learning", "azure_machine_learning_service",
                    "amazon_sagemaker", "spss_collaboration_and_deployment_services", "watson_machine_learning",
                ]
            },
        ),
        perhaps(instance_id=NAME, credentials=ANYTHING, request_headers=ANYTHING),
    ),
    "Binding": exactly(
        metadata=_METADATA,
        entity=exactly(name=TEXT, service_type=TEXT, instance_id=TEXT, credentials=ANYTHING, status=_ACTIVE),
    ),
    "Bindings": exactly(service_bindings=list_of(ref("Binding"))),
    "Deployments": exactly(count=WHOLE, resources=list_of(ref("Resource"))),
    "Resource": exactly(
        metadata=_METADATA,
        entity=exactly(name=TEXT, type=TEXT, scoring_endpoint=ANYTHING, asset=_ASSET, asset_properties=ANYTHING),
    ),
    "ResourceGiven": both(
        exactly(metadata=both(exactly(guid=NAME), perhaps(created_at=TEXT, url=TEXT))),
        exactly(
            entity=both(
                exactly(asset=both(exactly(asset_id=NAME), perhaps(name=TEXT))),
                perhaps(name=TEXT, type=TEXT, scoring_url=TEXT, scoring_endpoint=ANYTHING, asset_properties=ANYTHING),
            )
        ),
    ),
    "SubscriptionGiven": both(
        exactly(asset=_ASSET), perhaps(asset_properties=ANYTHING, deployments=list_of(_DEPLOYMENT))
    ),
    "Subscription": exactly(
        metadata=both(_METADATA, exactly(modified_at=TEXT)),
        entity=exactly(
            service_binding_id=TEXT, status=_ACTIVE, asset=_ASSET, asset_properties=ANYTHING,
            deployments=list_of(_DEPLOYMENT),
            configurations=list_of(exactly(type=TEXT, monitor_definition_id=TEXT, enabled=FLAG, url=TEXT)),
        ),
    ),
    "Subscriptions": exactly(subscriptions=list_of(ref("Subscription"))),
    "SubscriptionFile": both(
        exactly(asset=_ASSET, asset_properties=ANYTHING, deployments=list_of(_DEPLOYMENT)),
        perhaps(configurations=list_of(both(exactly(type=TEXT, enabled=FLAG), perhaps(parameters=ANYTHING)))),
    ),
    "Imported": list_of(exactly(success=FLAG, message=TEXT)),
    "Patch": list_of(
        both(exactly(op={"enum": ["add", "replace", "remove", "test"]}, path=NAME), perhaps(value={}))
    ),
    "Configuration": _CONFIGURED,
    "LoggingConfiguration": exactly(
        enabled=FLAG,
        parameters=ANYTHING,
    ),
    "TableSchema": exactly(table_schema=exactly(type={"const": "struct"}, fields=list_of(_COLUMN))),
    "ScoringRecord": both(
        exactly(binding_id=NAME, subscription_id=NAME, request={}, response={}),
        perhaps(
            deployment_id=NAME, scoring_id=NAME, scoring_timestamp=TEXT,
            response_time={"anyOf": [WHOLE, TEXT]},
        ),
    ),
    "ScoringRecords": {"minItems": 1} | list_of(ref("ScoringRecord")),
    "Side": _SIDE,
    "Taken": exactly(state=TEXT, records=WHOLE),
    "Transactions": both(
        exactly(fields=list_of(TEXT), values=list_of({"type": "array"})), perhaps(total_count=WHOLE)
    ),
    "Health": exactly(status={"const": "ok"}),
    "Stats": both(
        exactly(posts=WHOLE, answers=ANYTHING, faults=ANYTHING),
        both(_COUNTS, exactly(subscriptions={"type": "object", "additionalProperties": _COUNTS})),
    ),
    "ReceivedIds": exactly(ids=list_of({"type": "array"}), next=or_null(WHOLE)),
    "Rows": exactly(
        rows=list_of(
            exactly(id=TEXT, scoring_id=TEXT, scoring_timestamp=TEXT, deployment_id=TEXT,
                    prediction_probability=or_null({"type": "number"}), fields=list_of(TEXT),
                    values={"type": "array"})
        ),
        next=or_null(WHOLE),
    ),
    "Records": exactly(records=list_of(ANYTHING), next=or_null(WHOLE)),
    "Errors": exactly(errors=list_of(exactly(scoring_id=TEXT, reason=TEXT, record=ANYTHING))),
    "AssetsGiven": {
        "anyOf": [
            exactly(binding_id=NAME, resources=list_of(ref("ResourceGiven"))),
            exactly(
                engine={"enum": ["custom", "azure-studio", "azure-service", "sagemaker", "spss", "watson"]},
                resources=list_of(ref("ResourceGiven")),
            ),
        ]
    },
    "AssetsTold": exactly(resources=WHOLE),
    "Assets": {"type": "object", "additionalProperties": list_of(ref("Resource"))},
    "FaultGiven": both(
        exactly(action=ANYTHING), perhaps(match=ANYTHING, times=WHOLE, share={"type": "number"}, after=WHOLE)
    ),
    "Faults": exactly(faults=list_of(ANYTHING)),
}  # fmt: skip
