"""Formats by topic, and a mutation fuzz of the decoders beside Avro: nothing but an event, a half or a refusal."""

from __future__ import annotations

import json
import random
import string
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson
import pytest

from tests.rooms.test_json_events import EVENT
from tests.way.clouds import scorings
from tests.way.events import confluent, custom
from worker.edges.schemas import load_schemas
from worker.model import Body, Claim, Envelope, Event, Half, Normal, Pair, Refusal, Target
from worker.rooms.cloud_events import CloudEvents, Naming
from worker.rooms.decode import Decoder
from worker.rooms.formats import Formats
from worker.rooms.json_events import JsonEvents
from worker.rooms.normalise import normalise

if TYPE_CHECKING:
    from worker.rooms.formats import Format

LIMIT = 1 << 16
ROUNDS = 1_500
CLOUDS = CloudEvents(LIMIT, Naming())
TARGET = Target("b", "s", "d", "custom_machine_learning", ("age", "hours", "income", "sector"))


def test_each_topic_is_read_in_its_format_and_others_as_avro() -> None:
    others: dict[str, Format] = {"json": JsonEvents(LIMIT), "clouds": CLOUDS}
    formats = Formats(Decoder(load_schemas(None, {}), LIMIT), others)

    def found(topic: str, value: bytes) -> object:
        return formats.event(Envelope(Claim(topic, 0), 0, 0, None, value, ()))

    assert isinstance(found("json", json.dumps(EVENT).encode()), Event)
    assert isinstance(found("avro", confluent(custom())), Event)
    refused = found("json", confluent(custom()))
    assert isinstance(refused, Refusal)
    assert refused.code == "not-json-event"
    refused = found("clouds", confluent(custom()))
    assert isinstance(refused, Refusal)
    assert refused.code == "no-cloudevent"


def mutated(value: bytes, chance: random.Random) -> bytes:
    """Bytes with a few changes: cut, repeated, put in, taken out, or a number or bracket made another."""
    data = bytearray(value)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(5):
            case 0:
                del data[at : at + chance.randint(1, 8)]
            case 1:
                data[at:at] = bytes(chance.choices(b'{}[]",:0123456789-.eEntf\x00\xff\xc3\x01', k=chance.randint(1, 4)))
            case 2:
                data[at:at] = data[: chance.randint(0, 40)]
            case 3:
                data = data[:at] or bytearray(b"{")
            case _:
                data[at : at + 1] = chance.choice([b"null", b"1e999", b"[[]]", b"9" * 30, b'"\\ud800"', b"NaN", b"{}"])
    return bytes(data)


@pytest.mark.parametrize("seed", range(4))
def test_mutated_records_are_an_event_a_half_or_a_refusal_and_normalise_to_rows_or_a_refusal(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a seed, not a secret
    made = list(scorings(20, chance))
    json_event = json.dumps(
        {**EVENT, "response": {"content_type": "application/json", "data": '{"predictions":[1,2]}'}}
    )
    ends: set[type] = set()
    for round_ in range(ROUNDS):
        request, response = (
            Envelope(Claim("t", 0), at, 0, None, each.value, each.headers)
            for at, each in enumerate(chance.choice(made).events())
        )
        request = replace(request, value=mutated(request.value or b"", chance))
        if round_ % 3 == 0:
            headers = [(name, mutated(value or b"", chance)) for name, value in request.headers]
            request = replace(request, headers=headers)
        if round_ % 7 == 0:
            name = "".join(chance.choices(string.ascii_lowercase, k=3))
            request = replace(request, headers=[*request.headers[1:], (name, None)])
        found: list[object] = [CLOUDS.event(request), CLOUDS.event(Pair.of(request, response))]
        found.append(JsonEvents(LIMIT).event(replace(request, value=mutated(json_event.encode(), chance))))
        for each in found:
            ends.add(type(each))
            assert isinstance(each, (Event, Half, Refusal))
            if isinstance(each, Event):
                normal = normalise(each.request, each.response, TARGET)
                ends.add(type(normal))
                assert isinstance(normal, (Normal, Refusal))
                assert isinstance(normal, Refusal) or orjson.dumps(normal.request), "what passes can be posted"
                assert not isinstance(each.request, Body) or isinstance(each.request.data, bytes)
    assert ends == {Event, Half, Refusal, Normal}
