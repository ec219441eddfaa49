"""What people may see of a body or an answer, and of an error's text: everything but secrets: pure.

Credentials are masked unless their key is known to be harmless; elsewhere what has a secret's name is. URLs lose their
passwords, and what in their query may be a key.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from worker.control.engines import OPEN_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MASK: Final = "********"
_SECRET_KEY: Final = re.compile(
    r"pass|pwd|secret|token|api_?key|access_key|credential|private|certificate|signature|authori[sz]", re.IGNORECASE
)
_OPEN_HEADERS: Final = frozenset({"content-type", "accept"})
_USER_INFO: Final = re.compile(r"(?<=://)[^\s/?#]*@")
_QUERY_SECRET: Final = re.compile(
    r"([?&;][\w.-]*(?:sig|key|code|pass|pwd|secret|token|auth)[\w.-]*=)([^&;#\s]+)", re.IGNORECASE
)
_BEARER: Final = re.compile(r"\beyJ[\w-]{8,}(?:\.[\w-]*)*|(?<=[Bb]earer )\S+")
# shorter ones are in every text
_LEAST: Final = 4


def masked(found: Any) -> Any:
    """A copy of a JSON value without its secrets."""
    if isinstance(found, dict):
        return {key: _member(key, value) for key, value in found.items()}
    if isinstance(found, list):
        return [masked(each) for each in found]
    return _without_url_secrets(found) if isinstance(found, str) else found


def _member(key: str, value: Any) -> Any:
    if isinstance(value, dict) and key == "credentials":
        return {name: masked(each) if name in OPEN_KEYS else MASK for name, each in value.items()}
    if isinstance(value, dict) and key in {"request_headers", "headers"}:
        return {name: each if name.lower() in _OPEN_HEADERS else MASK for name, each in value.items()}
    if _SECRET_KEY.search(key) and isinstance(value, str | list):
        return MASK
    return masked(value)


def _without_url_secrets(text: str) -> str:
    return _QUERY_SECRET.sub(rf"\1{MASK}", _USER_INFO.sub(f"{MASK}@", text))


def secrets_of(body: Any) -> set[str]:
    """The texts in a body that `masked` would not show: each as it is, and a URL's secret parts too."""
    return {each for each in _hidden(body, masked(body)) if len(each) >= _LEAST}


def _hidden(body: Any, shown: Any) -> Iterator[str]:
    if isinstance(body, dict) and isinstance(shown, dict):
        for key, value in body.items():
            yield from _hidden(value, shown[key])
    elif isinstance(body, list) and isinstance(shown, list):
        for value, seen in zip(body, shown, strict=True):
            yield from _hidden(value, seen)
    elif body != shown:
        for text in _texts(body):
            yield from (text, *_parts(text))


def _parts(url: str) -> Iterator[str]:
    """What `_without_url_secrets` takes out of a URL, as it is there and as it is meant."""
    users = [info[:-1] for info in _USER_INFO.findall(url)]
    parts = [part for user in users for part in (user, *user.split(":", 1))]
    for part in (*parts, *(value for _, value in _QUERY_SECRET.findall(url))):
        yield from (part, unquote(part))


def _texts(found: Any) -> Iterator[str]:
    """All texts in a JSON value that is hidden as a whole."""
    if isinstance(found, dict | list):
        for each in found.values() if isinstance(found, dict) else found:
            yield from _texts(each)
    elif found is not None and not isinstance(found, bool):
        yield str(found)


def scrubbed(text: str, secrets: Iterable[str]) -> str:
    """Somebody else's words, in one printable line, without these secrets, tokens and those of URLs."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return printable(_BEARER.sub(MASK, _without_url_secrets(text)))


def printable(text: str) -> str:
    """Nothing in it can move a terminal's cursor, or hide."""
    return "".join(char if char.isprintable() else " " for char in text)
