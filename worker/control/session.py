"""One command's way to its data mart: settings in, a `Plane` out, and every failure one message and an exit code."""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn

import httpx
import typer

from worker.config import ConfigError, Settings, load
from worker.control.errors import CONFIG, DATA, DECLINED, UNAVAILABLE, USAGE, ControlError
from worker.control.masking import printable, scrubbed, secrets_of
from worker.control.plane import Plane
from worker.mart.client import USER_AGENT, MartClient, MartError, token_source
from worker.mart.token import TokenError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from worker.control.engines import Credential

_MOST_WORDS: Final = 400
NO_DATA_MART: Final = (
    "there is no data mart {}: make it by payload-worker mart setup, or check mart.url and mart.data_mart_id"
)


@contextmanager
def plane(config: Path | None, *, dry: bool = False) -> Iterator[Plane]:
    """The data mart of the settings; what is raised inside ends the program with a message, never a traceback."""
    settings = _settings(config)
    if settings.mart.api != "v1":
        fail(CONFIG, f"mart.api is {settings.mart.api}, and these commands speak v1: use IBM's own client")
    with _client(settings) as client:
        opened = Plane(client, dry=dry)
        try:
            yield opened
        except ControlError as error:
            fail(error.code, str(error))
        except TokenError as error:
            advice = "check the credentials in [mart]" if error.refused else "check mart.url"
            fail(CONFIG if error.refused else UNAVAILABLE, f"{error}; {advice}")
        except MartError as error:
            fail(*_explained(error, settings, opened))


@contextmanager
def _client(settings: Settings) -> Iterator[MartClient]:
    mart = settings.mart
    with httpx.Client(timeout=mart.timeout_seconds, headers={"User-Agent": USER_AGENT}) as tokens:
        try:
            httpx.URL(mart.url)
        except httpx.InvalidURL as error:
            fail(CONFIG, f"mart.url: {error}")
        client = MartClient(mart, token_source(mart, tokens))
        try:
            yield client
        finally:
            client.close()


def _settings(config: Path | None) -> Settings:
    try:
        return load(config)
    except ConfigError as error:
        fail(CONFIG, str(error))


def _explained(error: MartError, settings: Settings, opened: Plane) -> tuple[int, str]:
    """The exit code and the message: what was asked, what was answered in the data mart's own words, what to do."""
    written = [] if opened.dry else opened.written
    secrets = {secret for each in written for secret in secrets_of(each.body)} | _secrets(settings)
    code, advice = _advice(error, settings, began_write=bool(written))
    words = [scrubbed(each, secrets)[:_MOST_WORDS] for each in _words(error.answer)]
    return code, "; ".join([scrubbed(str(error), secrets), *words, *([advice] if advice else [])])


def _secrets(settings: Settings) -> set[str]:
    mart = settings.mart
    return {each.get_secret_value() for each in (mart.api_key, mart.token, mart.password) if each is not None}


def _words(answer: str) -> list[str]:
    """The messages in the documented error body (contract §0)."""
    return re.findall(r'"message"\s*:\s*"((?:[^"\\]|\\.)*)"', answer)[:3]


def _advice(error: MartError, settings: Settings, *, began_write: bool) -> tuple[int, str]:
    no_mart = re.search(r"AI[SQ]CS0005W", error.answer)
    match error.status:
        case None if "no answer" in str(error):
            again = "; it may have been done all the same: look before you try again" if began_write else ""
            found = UNAVAILABLE, f"check mart.url{again}"
        case 401 | 403:
            found = CONFIG, "check the credentials in [mart]: api_key, token, or username and password"
        case 404 if no_mart:
            found = UNAVAILABLE, NO_DATA_MART.format(settings.mart.data_mart_id)
        case 404 if '"errors"' in error.answer:
            found = DATA, "it is there no more"
        case 400 | 409 | 413 | 422:
            found = DATA, "what was sent is not taken"
        case 408 | 425 | 429 | 500 | 501 | 502 | 503 | 504:
            found = UNAVAILABLE, "try again later"
        case _:
            found = UNAVAILABLE, "this is not how a data mart answers: check mart.url"
    return found


def fail(code: int, message: str) -> NoReturn:
    """End the program: a message on standard error, line by line without what could move a cursor."""
    typer.echo("payload-worker: " + "\n".join(map(printable, message.split("\n"))), err=True)
    raise typer.Exit(code)


def agreed(question: str, *, yes: bool, deleting: bool = False) -> None:
    """Ask at a terminal, unless `yes` was said before; elsewhere only a deletion needs it to be said."""
    if yes:
        return
    if sys.stdin.isatty():
        if not typer.confirm(printable(question), err=True):
            fail(DECLINED, "nothing was changed")
    elif deleting:
        fail(USAGE, "nobody is at a terminal to be asked: say --yes to delete")


def asked(credential: Credential) -> str:
    """A credential from the person at the terminal, without echo unless it may be shown; empty where not needed."""
    default = None if credential.required else ""
    text = typer.prompt(credential.key, default=default, show_default=False, hide_input=not credential.open, err=True)
    return str(text).strip()


def environment() -> dict[str, str]:
    """The environment's variables."""
    return dict(os.environ)


def at_terminal() -> bool:
    """Somebody can be asked."""
    return sys.stdin.isatty()
