"""`payload-worker audit`: what was typed, made sense of; and how it ends."""

from __future__ import annotations

import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated

import httpx
import typer

from worker.audit.auditing import Asked, Audit
from worker.audit.fates import GAPS
from worker.audit.showing import Repairs, as_json, as_text
from worker.console import CONFIG, DATA, UNAVAILABLE, AsJson, ConfigFile, fail, progress, settings_of
from worker.edges.cluster import ClientError, ClusterError
from worker.edges.registry import RegistryError
from worker.edges.schemas import SchemaDirectoryError
from worker.mart.client import USER_AGENT, MartClient, MartError, TokenError, token_source
from worker.topics.asking import bounds_of, topics_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.config import Settings

GAP = 1
"""The exit code of an audit that found one."""

_REFUSED = (401, 403)

From = Annotated[str | None, typer.Option("--from", help="ISO 8601 time with a zone, or now.", show_default=False)]
To = Annotated[str, typer.Option("--to", help="The same; records of that time are not in it.")]


def audit(  # noqa: PLR0917 - typer turns parameters into flags, whatever their kind
    since: From = None,
    until: To = "now",
    topic: Annotated[str | None, typer.Option(help="One of kafka.topics; left out: all.", show_default=False)] = None,
    partition: Annotated[int | None, typer.Option(min=0, help="Only this one.", show_default=False)] = None,
    offset_from: Annotated[int | None, typer.Option(min=0, help="The first offset.", show_default=False)] = None,
    offset_to: Annotated[int | None, typer.Option(min=0, help="Behind the last offset.", show_default=False)] = None,
    subscription: Annotated[
        str | None, typer.Option(help="Only events of this one, by id.", show_default=False)
    ] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds that accepted rows have to show up.")] = 30,
    config: ConfigFile = None,
    *,
    as_json_: AsJson = False,
) -> None:
    """Say of all events of a time whether the data mart holds them, and of the others what became of them.

    Nothing is written. Exit 1 if an event is acknowledged and neither stored nor dead-lettered.
    """
    bounds = bounds_of(since, until, partition, offset_from, offset_to)
    settings = settings_of(config)
    asked = Asked(topics_of(settings.kafka.topics, topic, bounds), bounds, subscription, wait)
    with ended_well(settings) as mart, progress() as bar, closing(Audit(settings, mart, asked, bar)) as job:
        if job.unknown:
            fail(DATA, f"--subscription {subscription}: the data mart has no subscription of this id")
        counts = job.run()
        bar.stop()
        paired = [each for each, name in settings.events.formats.items() if name == "cloudevents"]
        repairs = Repairs(subscription, config, paired, job.reach)
        if as_json_:
            as_json(counts, job.spans, job.not_held(), repairs, sys.stdout.write)
        else:
            as_text(asked, counts, job.not_held(), repairs, sys.stdout.write)
    if any(counts.fates[each] for each in GAPS):
        raise typer.Exit(GAP)


@contextmanager
def ended_well(settings: Settings) -> Iterator[MartClient]:
    """A client of the data mart; whatever is not to be had ends the program with a message and its exit code."""
    with httpx.Client(timeout=settings.mart.timeout_seconds, headers={"User-Agent": USER_AGENT}) as tokens:
        try:
            with closing(MartClient(settings.mart, token_source(settings.mart, tokens))) as mart:
                yield mart
        except (ClientError, SchemaDirectoryError, RegistryError) as error:
            fail(CONFIG, error)
        except ClusterError as error:
            fail(UNAVAILABLE, f"{error}; check kafka.bootstrap_servers and kafka.topics")
        except TokenError as error:
            advice = "check the credentials in [mart]" if error.refused else "check mart.url"
            fail(CONFIG if error.refused else UNAVAILABLE, f"{error}; {advice}")
        except MartError as error:
            refused = error.status in _REFUSED
            advice = "check the credentials in [mart]" if refused else "check mart.url, or try again later"
            fail(CONFIG if refused else UNAVAILABLE, f"{error}; {advice}")
        except BrokenPipeError:
            fail(UNAVAILABLE, "whoever read the output has gone")
        except OSError as error:
            fail(UNAVAILABLE, f"temporary files: {error.strerror}; TMPDIR names the directory that they are in")
