"""Which decoders the settings ask for: Avro's, and those of the topics that have another format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.rooms.cloud_events import CloudEvents, Naming
from worker.rooms.decode import Decoder
from worker.rooms.formats import Formats
from worker.rooms.json_events import JsonEvents

if TYPE_CHECKING:
    from worker.config import Settings
    from worker.rooms.decode import SchemaBook
    from worker.rooms.formats import Format
    from worker.rooms.suite import Decodes


def decoder(settings: Settings, book: SchemaBook) -> Decodes:
    """The first room: Avro's decoder, and beside it those of the topics that have another format."""
    events, limit = settings.events, settings.limits.event_bytes
    avro = Decoder(book, limit)
    naming = Naming(events.asset_attribute, events.binding_attribute, events.deployment_attribute)
    made: dict[str, Format] = {"json": JsonEvents(limit), "cloudevents": CloudEvents(limit, naming)}
    others = {topic: made[name] for topic, name in events.formats.items() if name != "avro"}
    return Formats(avro, others) if others else avro
