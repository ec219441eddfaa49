"""Each engine with one asset, what was scored there in the engine's own form, and the rows that must come of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

JSON = dict[str, Any]

SECONDS = ("2019-06-11T10:00:01.123456Z", "2019-06-11T10:00:02.000000Z", "2019-06-11 10:00:03.5")
# the columns before the features (contract §5.2)
OWN = ["scoring_id", "scoring_timestamp", "deployment_id", "asset_revision"]
_AZURE = {"client_id": "c", "client_secret": "s3cret", "subscription_id": "i", "tenant": "t"}
_KNOWN = {"input_data_type": "structured", "problem_type": "binary", "label_column": "approved"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """An engine, with one asset and what was scored there.

    `kind` is the prefix of the client's classes; `tell` the name by which the sandbox is told of the deployments.
    `records` are arguments of the client's `PayloadRecord`; `rows` is what the payload table must then hold of the
    features and of the response, by column, in the order in which it was stored, `probability` the greatest
    probability of each.
    """

    tell: str
    kind: str
    service_type: str
    credentials: JSON
    resource: JSON
    asset: JSON
    records: list[JSON]
    columns: list[str]
    rows: list[list[Any]]
    probability: list[float]
    updated: str = "predicted_target_field"
    no_rows: list[JSON] = field(
        default_factory=lambda: [
            {"request": {"fields": ["age"], "values": [[1], [2]]}, "response": {"fields": ["x"], "values": [[1]]}},
            {"request": {"some": "thing"}, "response": {"other": "thing"}},
        ]
    )

    @property
    def deployment_id(self) -> str:
        """Of its one deployment."""
        return str(self.resource["metadata"]["guid"])


def _columns(**types: str) -> JSON:
    fields = [{"name": name.replace("_", " "), "type": kind, "nullable": True} for name, kind in types.items()]
    return {"type": "struct", "fields": fields}


def _resource(deployment: str, asset: str, **properties: Any) -> JSON:
    """One deployment, as the discovery has it (contract §4.1)."""
    url = f"https://engine.example/{deployment}/execute"
    return {
        "metadata": {"guid": deployment, "url": url, "created_at": "2019-05-06T11:33:11.219Z"},
        "entity": {
            "name": "loans-endpoint",
            "type": "online",
            "deployment_rn": f"rn:{deployment}",
            "scoring_endpoint": {"url": url, "credentials": {"token": "t0ken"}, "request_headers": {"a": "b"}},
            "asset": {
                "asset_id": asset,
                "asset_rn": f"rn:{asset}",
                "url": "https://engine.example/swagger.json",
                "name": "loans",
                "asset_type": "model",
                "created_at": "2019-05-06T11:30:00.000Z",
            },
            "asset_properties": {"asset_revision": "1561122207000", **properties},
        },
    }


CUSTOM = Engine(
    tell="custom",
    kind="CustomMachineLearning",
    service_type="custom_machine_learning",
    credentials={"password": "s3cret", "request_headers": {"x-own": "y"}},
    resource={
        "metadata": {"guid": "d-1", "created_at": "2016-12-01T10:11:12Z", "modified_at": "2016-12-02T12:00:22Z"},
        "entity": {
            "name": "loans deployment",
            "description": "of loans",
            "scoring_url": "http://engine.example/v1/deployments/d-1/online",
            "asset": {"name": "loans", "guid": "loans-1"},
            "asset_properties": {"problem_type": "binary", "input_data_type": "structured"},
        },
    },
    asset={
        "source_uid": "loans-1",
        "prediction_column": "prediction",
        "probability_column": "probability",
        "feature_columns": ["age", "hours", "income", "sector"],
        "categorical_columns": ["sector"],
    },
    records=[
        {
            "request": {
                "fields": ["age", "hours", "income", "sector"],
                "values": [[31, 40.5, 51000.25, "tech"], [52, 20.0, 33000, None]],
            },
            "response": {
                "fields": ["prediction", "probability"],
                "values": [["yes", [0.2, 0.8]], ["no", [0.75, 0.25]]],
            },
            "scoring_id": "a" * 32,
            "scoring_timestamp": SECONDS[0],
            "response_time": 12,
        },
        {
            "request": {"fields": ["age", "hours", "income", "sector"], "values": [[19, 8.25, 0, 'Mün"chen']]},
            "response": json.dumps({"fields": ["prediction", "probability"], "values": [["no", [0.9, 0.1]]]}),
            "scoring_timestamp": SECONDS[1],
        },
    ],
    columns=["age", "hours", "income", "sector", "prediction", "probability"],
    rows=[
        [31, 40.5, 51000.25, "tech", "yes", [0.2, 0.8]],
        [52, 20.0, 33000, None, "no", [0.75, 0.25]],
        [19, 8.25, 0, 'Mün"chen', "no", [0.9, 0.1]],
    ],
    probability=[0.8, 0.75, 0.9],
)

STUDIO = Engine(
    tell="azure-studio",
    kind="AzureMachineLearningStudio",
    service_type="azure_machine_learning",
    credentials=_AZURE,
    resource=_resource(
        "f" * 32,
        "c" * 32,
        problem_type="binary",
        input_data_schema=_columns(age="integer", income="double", sector="string"),
        output_data_schema=_columns(
            age="integer", income="double", sector="string", Scored_Labels="string", Scored_Probabilities="double"
        ),
    ),
    asset={
        "source_uid": "c" * 32,
        **_KNOWN,
        "prediction_column": "Scored Labels",
        "probability_column": "Scored Probabilities",
        "feature_columns": ["age", "income", "sector"],
        "categorical_columns": ["sector"],
    },
    records=[
        {
            "request": {
                "Inputs": {
                    "input1": [
                        {"age": 31, "income": 51000.25, "sector": "7"},
                        {"age": "52", "income": "33000.5", "sector": "retail"},
                    ]
                },
                "GlobalParameters": {},
            },
            "response": {
                "Results": {
                    "output1": [
                        {
                            "age": "31",
                            "income": "51000.25",
                            "sector": "7",
                            "Scored Labels": "yes",
                            "Scored Probabilities": "0.75",
                        },
                        {
                            "age": "52",
                            "income": "33000.5",
                            "sector": "retail",
                            "Scored Labels": "no",
                            "Scored Probabilities": "0.125",
                        },
                    ]
                }
            },
            "scoring_id": "native-1",
            "scoring_timestamp": SECONDS[0],
            "response_time": 12,
        },
        {
            "request": {"fields": ["age", "income", "sector"], "values": [[19, 0.5, "x"]]},
            "response": {"fields": ["Scored Labels", "Scored Probabilities"], "values": [["no", 0.25]]},
            "scoring_timestamp": SECONDS[1],
        },
    ],
    columns=["age", "income", "sector", "Scored Labels", "Scored Probabilities"],
    rows=[[31, 51000.25, "7", "yes", 0.75], [52, 33000.5, "retail", "no", 0.125], [19, 0.5, "x", "no", 0.25]],
    probability=[0.75, 0.875, 0.75],
)

SERVICE = Engine(
    tell="azure-service",
    kind="AzureMachineLearningService",
    service_type="azure_machine_learning_service",
    credentials=_AZURE,
    resource=_resource("e" * 32, "b" * 32, input_data_schema=_columns(age="integer", income="double", sector="string")),
    asset={
        "source_uid": "b" * 32,
        **_KNOWN,
        "prediction_column": "Scored Labels",
        "probability_column": "Scored Probabilities",
        "feature_columns": ["age", "income", "sector"],
        "categorical_columns": ["sector"],
    },
    records=[
        {
            "request": {"input": [{"age": 31, "income": 51000.25, "sector": "tech"}]},
            # the engine answers JSON within a JSON text
            "response": json.dumps({"output": [{"Scored Labels": "yes", "Scored Probabilities": [0.9, 0.1]}]}),
            "scoring_id": "native-1",
            "scoring_timestamp": SECONDS[0],
            "response_time": 12,
        },
        {
            "request": {"fields": ["age", "income", "sector"], "values": [[19, 0.5, "x"], [20, 1.5, None]]},
            "response": {
                "fields": ["Scored Labels", "Scored Probabilities"],
                "values": [["no", [0.25, 0.75]], ["yes", [0.6, 0.4]]],
            },
            "scoring_timestamp": SECONDS[1],
        },
    ],
    columns=["age", "income", "sector", "Scored Labels", "Scored Probabilities"],
    rows=[
        [31, 51000.25, "tech", "yes", [0.9, 0.1]],
        [19, 0.5, "x", "no", [0.25, 0.75]],
        [20, 1.5, None, "yes", [0.6, 0.4]],
    ],
    probability=[0.9, 0.75, 0.6],
)

SAGEMAKER = Engine(
    tell="sagemaker",
    kind="SageMakerMachineLearning",
    service_type="amazon_sagemaker",
    credentials={"access_key_id": "a", "secret_access_key": "s3cret", "region": "us-east-2"},
    resource=_resource("4" * 32, "9" * 32),
    asset={
        "source_uid": "9" * 32,
        **_KNOWN,
        "prediction_column": "predicted_label",
        "probability_column": "score",
        "feature_columns": ["age", "hours", "income", "debt"],
    },
    records=[
        {
            "request": {
                "fields": ["age", "hours", "income", "debt"],
                "values": [[0.0, 1.0, 17.0, 4850.5], [1.0, 0.0, 18.0, 0.5]],
            },
            "response": {"fields": ["predicted_label", "score"], "values": [[0.0, 0.25], [1.0, 0.75]]},
            "scoring_id": "sage-1",
            "scoring_timestamp": SECONDS[0],
            "response_time": 12,
        },
        {
            # the tutorial's way: one flat list is one row
            "request": {"fields": ["age", "hours", "income", "debt"], "values": [2.0, 3.0, 4.0, 5.5]},
            "response": {"fields": ["score", "predicted_label"], "values": [[0.5, 1.0]]},
            "scoring_timestamp": SECONDS[2],
        },
    ],
    columns=["age", "hours", "income", "debt", "predicted_label", "score"],
    rows=[
        [0.0, 1.0, 17.0, 4850.5, 0.0, 0.25],
        [1.0, 0.0, 18.0, 0.5, 1.0, 0.75],
        [2.0, 3.0, 4.0, 5.5, 1.0, 0.5],
    ],
    probability=[0.75, 0.75, 0.5],
    updated="prediction_field",
)

ENGINES = (CUSTOM, STUDIO, SERVICE, SAGEMAKER)
