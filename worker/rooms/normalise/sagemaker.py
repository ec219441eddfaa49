"""Amazon SageMaker: nameless CSV or JSON vectors in, objects or bare scores out (§6).

The names of a request's columns are the subscription's features. CSV cells become floats, as IBM's own
callers make them; the numbers of JSON stay what they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from worker.rooms.normalise import tables, texts
from worker.rooms.normalise.unfit import Code, Unfit, kind

if TYPE_CHECKING:
    from worker.model import Body, Target

_SCORE = "score"  # what the built-in algorithms call it in their JSON answers


def request(body: Body, target: Target) -> tables.Grid:
    """CSV, `{"instances":[…]}`, an array of instances, or JSON Lines of them (see `_vector`)."""
    found = texts.media(body)
    if found == "csv":
        fields = _features(target)
        return tables.build(fields, texts.numbers(body.data, fields), "values", named=True)
    if found == "lines":
        return _instances(texts.lines_of(body), "lines", target)
    document = texts.json_of(body)
    if type(document) is not dict:
        return _instances(document, "rows", target)
    if "instances" in document:
        return _instances(document["instances"], "instances", target)
    if "values" in document:  # converted by the caller
        return tables.from_normal(document, named=False)
    raise Unfit(Code.SHAPE, "the body has no instances")


def response(body: Body, _target: Target) -> tables.Grid:
    """`{"predictions":[{…}]}` or JSON Lines of the same objects, by key in any order; or CSV of scores."""
    found = texts.media(body)
    if found == "csv":
        return _scores(body.data)
    if found == "lines":
        return tables.from_objects(texts.lines_of(body), "lines")
    document = texts.object_of(body)
    if "predictions" in document:
        return tables.from_objects(document["predictions"], "predictions")
    if "values" in document:  # converted by the caller
        return tables.from_normal(document, named=True)
    raise Unfit(Code.SHAPE, "the body has no predictions")


def _features(target: Target) -> list[str]:
    if not target.features:
        raise Unfit(
            Code.NO_FEATURES,
            "the values have no names, and the subscription names no features: set feature_columns on it",
        )
    return list(target.features)


def _instances(instances: object, place: str, target: Target) -> tables.Grid:
    if type(instances) is not list:
        raise Unfit(Code.SHAPE, f"{place} is {kind(instances)}, not an array of instances")
    rows = [_vector(instance, place, at) for at, instance in enumerate(instances)]
    return tables.build(_features(target), rows, place, named=True)


def _vector(instance: object, place: str, at: int) -> object:
    """The cells of an array, of `{"features":[…]}`, or of the long `{"data":{"features":{"values":[…]}}}`."""
    if type(instance) is not dict:
        return instance
    features = instance["data"].get("features") if type(instance.get("data")) is dict else instance.get("features")
    if type(features) is dict and "keys" not in features:  # with keys it is sparse, and its columns are not all there
        features = features.get("values")
    if type(features) is not list:
        raise Unfit(Code.SHAPE, f"{place}[{at}] has no array of features")
    return features


def _scores(data: bytes) -> tables.Grid:
    """One score a line, as XGBoost answers; several are those of the row's classes: an array in one cell."""
    count = texts.width(data)
    rows: list[list[Any]] = [[row[0] if count == 1 else row] for row in texts.numbers(data, [_SCORE] * count)]
    return {"fields": [_SCORE], "values": rows}
