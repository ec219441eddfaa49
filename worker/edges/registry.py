"""A client of a schema registry, as Confluent's REST API has it: schemas by id, subjects, compatibility.

Several addresses are one registry: each request goes to the one that answered last, then to the others in turn.
"""

from __future__ import annotations

import json
import re
import ssl
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import httpx
from httpx import codes

from worker import __version__
from worker.edges.deadline import Deadline
from worker.rooms.framing import SchemaGuid, SchemaId

if TYPE_CHECKING:
    from worker.config import Registry

CONTENT_TYPE: Final = "application/vnd.schemaregistry.v1+json"
NO_SUBJECT, NO_VERSION, NO_SCHEMA = 40401, 40402, 40403
"""Codes of answers that say what is not there; any other 404 comes from something that is no registry."""

REFUSED: Final = (codes.UNAUTHORIZED, codes.FORBIDDEN)
"""Statuses that say that the credentials are wrong."""

REFERENCES: Final = 32
"""Schemas that one schema may refer to, all in all: a registry whose references go round must not be followed."""

LARGEST: Final = 8 * 1024 * 1024
"""Bytes of an answer that are read: more than any schema has."""


class RegistryError(Exception):
    """The registry did not give what was asked; the message names the request, never a credential.

    `status`: of its answer, where it gave one.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class NotAvroError(RegistryError):
    """The registry has what was asked for, and it is no Avro schema, or one of too many parts: it will not change."""


class RegistryClient:
    """Requests to one registry. Safe to share between threads.

    An answer that has not come whole after the timeout is none, however steadily it comes.
    """

    def __init__(self, settings: Registry) -> None:
        """Raises `RegistryError` where the certificates of `settings.ca` cannot be used."""
        self._urls = list(settings.urls)
        self._deadline = Deadline(settings.timeout_seconds)
        self._client = httpx.Client(
            timeout=settings.timeout_seconds,
            headers={"User-Agent": f"payload-worker/{__version__}", "Accept": f"{CONTENT_TYPE}, application/json"},
            auth=_auth(settings),
            verify=_trusted(settings),
            follow_redirects=False,
        )
        if settings.token is not None:
            self._client.headers["Authorization"] = f"Bearer {settings.token.get_secret_value()}"

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def schema(self, ref: SchemaId | SchemaGuid) -> Any | None:
        """The Avro schema of this id, as parsed JSON, what it refers to included; None: the registry has none.

        Raises:
            NotAvroError: the registry has something else under that name.
            RegistryError: no answer, or one that makes no sense.
        """
        step = f"/schemas/ids/{ref.id}" if isinstance(ref, SchemaId) else f"/schemas/guids/{ref.guid}"
        found = self._ask("GET", step, absent=(NO_SCHEMA,))
        return None if found is None else self._whole(found, step)

    def subjects(self) -> list[str]:
        """The subjects, in order; raises `RegistryError`."""
        return sorted(map(str, self._ask("GET", "/subjects") or ()))

    def version(self, subject: str, version: str = "latest") -> dict[str, Any] | None:
        """One version of a subject: `id`, `version`, `schema` (text); None: there is none. Raises `RegistryError`."""
        path = f"/subjects/{quote(subject, safe='')}/versions/{quote(version, safe='')}"
        found: dict[str, Any] | None = self._ask("GET", path, absent=(NO_SUBJECT, NO_VERSION))
        return found

    def versions(self, subject: str) -> list[int]:
        """The versions of a subject, the oldest first; none where there is no such subject. Raises `RegistryError`."""
        return sorted(self._ask("GET", f"/subjects/{quote(subject, safe='')}/versions", absent=(NO_SUBJECT,)) or ())

    def register(self, subject: str, schema: object) -> int:
        """Register a schema as a subject's newest version; its id. Raises `RegistryError`, also where it is refused."""
        path = f"/subjects/{quote(subject, safe='')}/versions"
        found: Any = self._ask("POST", path, {"schema": json.dumps(schema)})
        return int(found["id"])

    def incompatible(self, subject: str, schema: object) -> list[str]:
        """Why a schema may not be the subject's newest version: empty where it may. Raises `RegistryError`."""
        path = f"/compatibility/subjects/{quote(subject, safe='')}/versions/latest?verbose=true"
        found = self._ask("POST", path, {"schema": json.dumps(schema)}, absent=(NO_SUBJECT, NO_VERSION))
        if found is None or found.get("is_compatible"):
            return []
        return [str(each) for each in found.get("messages") or [found.get("reason") or "incompatible"]]

    # --- the requests -------------------------------------------------------------------------------------------

    def _ask(self, method: str, step: str, body: object = None, absent: tuple[int, ...] = ()) -> Any | None:
        """The JSON of an answer; None for a 404 with one of the codes `absent`."""
        answer = self._answer(method, step, body)
        try:
            found = answer.json()
        except (ValueError, RecursionError):
            found = None
        if answer.status_code == codes.OK and found is not None:
            return found
        code = found.get("error_code") if isinstance(found, dict) else None
        if answer.status_code == codes.NOT_FOUND and code in absent:
            return None
        raise RegistryError(f"{method} {answer.url}: {_complaint(answer.status_code, code, found)}", answer.status_code)

    def _answer(self, method: str, step: str, body: object) -> httpx.Response:
        """The first answer that any address gives; a failing server counts as none."""
        failures = []
        for url in tuple(self._urls):
            try:
                answer = self._exchange(method, url.rstrip("/") + step, body)
            except httpx.HTTPError as error:
                failures.append(f"{url}: no answer ({type(error).__name__})")
                continue
            if not answer.is_server_error and answer.status_code != codes.TOO_MANY_REQUESTS:
                self._urls = [url, *(each for each in self._urls if each != url)]
                return answer
            failures.append(f"{url}: answered {answer.status_code}")
        raise RegistryError(f"schemas.registry: {method} {step}: {'; '.join(failures)}")

    def _exchange(self, method: str, url: str, body: object) -> httpx.Response:
        """The whole answer of one address, within the time for it."""
        watched, content = {"trace": self._deadline.trace}, b""
        with (
            self._deadline.bounded(),
            self._client.stream(method, url, json=body, headers=_typed(body), extensions=watched) as answer,
        ):
            for part in answer.iter_bytes():
                content += part
                if len(content) > LARGEST:
                    raise httpx.DecodingError(f"an answer of more than {LARGEST} bytes")
        return httpx.Response(answer.status_code, content=content, request=answer.request)

    def _whole(self, found: Any, step: str) -> Any:
        """The schema of an answer, with each schema that it refers to in the place of its first mention."""
        if not isinstance(found, dict):
            raise RegistryError(f"schemas.registry: {step}: not an Avro schema (no object)")
        if found.get("schemaType", "AVRO") != "AVRO":
            kind = re.sub(r"\W", " ", str(found["schemaType"]))[:30]
            raise NotAvroError(f"schemas.registry: {step}: not an Avro schema ({kind})")
        named: dict[str, Any] = {}
        self._referred(found, named, step)
        return _inlined(_parsed(found, step), named)

    def _referred(self, found: dict[str, Any], named: dict[str, Any], step: str) -> None:
        for each in found.get("references") or ():
            if each["name"] in named:
                continue
            if len(named) >= REFERENCES:
                raise NotAvroError(f"schemas.registry: {step}: refers to more than {REFERENCES} schemas")
            other = self.version(each["subject"], str(each["version"]))
            if other is None:
                raise RegistryError(f"schemas.registry: {step}: refers to {each['subject']}, which is not there")
            named[each["name"]] = _parsed(other, step)
            self._referred(other, named, step)


def _auth(settings: Registry) -> httpx.BasicAuth | None:
    if settings.username is None or settings.password is None:
        return None
    return httpx.BasicAuth(settings.username, settings.password.get_secret_value())


def _trusted(settings: Registry) -> ssl.SSLContext | bool:
    try:
        return ssl.create_default_context(cafile=str(settings.ca)) if settings.ca else True
    except OSError as error:  # ssl's own errors are of this kind
        raise RegistryError(f"schemas.registry.ca {settings.ca}: {error.strerror or error}") from None


def _typed(body: object) -> dict[str, str]:
    return {} if body is None else {"Content-Type": CONTENT_TYPE}


def _complaint(status: int, code: object, found: object) -> str:
    said = found.get("message") if isinstance(found, dict) else None
    if status in REFUSED:
        return f"the credentials are refused ({status}); see schemas.registry.username or .token"
    if status == codes.NOT_FOUND and code not in (NO_SUBJECT, NO_VERSION, NO_SCHEMA):
        return "answered 404: is this the address of a registry's Confluent API?"
    return f"answered {status}" + (f": {re.sub(r'[^ -~]', ' ', str(said))[:300]}" if said else "")


def _parsed(found: dict[str, Any], step: str) -> Any:
    try:
        return json.loads(found["schema"])
    except (KeyError, TypeError, ValueError, RecursionError):
        raise RegistryError(f"schemas.registry: {step}: the answer holds no schema that is JSON") from None


def _inlined(schema: Any, named: dict[str, Any]) -> Any:
    """`schema` with the first mention of each name of `named` replaced by what it names; takes them out of `named`."""
    if isinstance(schema, str):
        return _inlined(named.pop(schema), named) if schema in named else schema
    if isinstance(schema, list):
        return [_inlined(each, named) for each in schema]
    if not isinstance(schema, dict):
        return schema
    typed = {key: _inlined(value, named) for key, value in schema.items() if key in ("type", "items", "values")}
    fields = {"fields": [_inlined(each, named) for each in schema["fields"]]} if "fields" in schema else {}
    return schema | typed | fields
