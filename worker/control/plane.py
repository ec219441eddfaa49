"""The calls of the control plane by name, with the statuses of the contract (§2 to §5); a dry run notes writes down."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from worker.control.found import (
    Binding,
    Deployment,
    Subscription,
    read_binding,
    read_deployment,
    read_subscription,
)
from worker.mart.client import MartError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.mart.client import MartClient

LOGGING: Final = "payload_logging"
PERFORMANCE: Final = "performance_monitoring"
PAGE: Final = 1000
"""Rows that the data mart gives at once, at most (§5)."""
_FORCE: Final = {"force": "true"}


@dataclass(frozen=True, slots=True, repr=False)
class Written:
    """A request that changes something; `body` with its secrets."""

    method: str
    path: str
    body: Any = None


class Plane:
    """One data mart. `dry`: nothing is written, `written` has what would have been.

    Every call raises `MartError` or `TokenError`, and `ControlError` for an answer of another shape.
    """

    def __init__(self, client: MartClient, *, dry: bool = False) -> None:
        self._client = client
        self.dry = dry
        self.written: list[Written] = []

    @property
    def data_mart_id(self) -> str:
        """Which data mart."""
        return self._client.data_mart_id

    # --- the data mart (§2)

    def data_mart(self) -> dict[str, Any] | None:
        """As answered, with its secrets; None where there is none."""
        try:
            return self._client.show()
        except MartError as error:
            if _is_absent(error):
                return None
            raise

    def set_up(self, body: Mapping[str, Any], *, force: bool) -> bool:
        """Make the data mart, or give it another database by force; False where it is there already."""
        try:
            self._send("PUT", self._client.at(), HTTPStatus.OK, dict(body), _FORCE if force else {})
        except MartError as error:
            if error.status == HTTPStatus.CONFLICT:
                return False
            raise
        return True

    def delete_data_mart(self) -> None:
        """Ask for its end; it may take a while."""
        self._delete(self._client.at())

    # --- bindings (§3)

    def bindings(self) -> list[Binding]:
        """All of them."""
        return [read_binding(each) for each in self._client.bindings()]

    def binding(self, binding_id: str) -> Binding | None:
        """As answered by itself; None where there is none."""
        try:
            return read_binding(self._client.get(self._binding(binding_id)))
        except MartError as error:
            if _is_absent(error):
                return None
            raise

    def add_binding(self, body: dict[str, Any]) -> str | None:
        """Its id; None where a binding of the body's id is there already."""
        answer = self._new("POST", self._client.at("service_bindings"), body)
        if answer is None:
            return None
        return str(body["instance_id"]) if self.dry else read_binding(answer).id

    def delete_binding(self, binding_id: str) -> None:
        """Ask for its end, and that of its subscriptions."""
        self._delete(self._binding(binding_id))

    # --- discovery and subscriptions (§4)

    def deployments(self, binding: Binding) -> list[Deployment]:
        """What its engine has deployed."""
        query = {"datamart_id": self.data_mart_id, "limit": str(PAGE)}
        path = f"/v1/ml_instances/{quote(binding.id, safe=':')}/deployments"
        return [read_deployment(each, binding) for each in self._client.listing(path, "resources", query)]

    def subscriptions(self, binding: Binding) -> list[Subscription]:
        """All of a binding."""
        return [read_subscription(each, binding) for each in self._client.subscriptions(binding.id)]

    def subscription(self, found: Subscription) -> Subscription:
        """As answered by itself."""
        return read_subscription(self._client.get(self._subscription(found)), found.binding)

    def add_subscription(self, binding: Binding, body: dict[str, Any]) -> Subscription | None:
        """Under an id made here, unless the data mart answers another; None where it has one of the asset already."""
        made_up = str(uuid.uuid4())
        path = f"{self._binding(binding.id)}/subscriptions/{made_up}"
        answer = self._new("PUT", path, body)
        if answer is None:
            return None
        raw = {"metadata": {"guid": made_up}, "entity": body} if self.dry else answer
        return read_subscription(raw, binding)

    def change_subscription(self, found: Subscription, patch: list[dict[str, Any]]) -> None:
        """Apply a JSON Patch, whose paths begin at the entity."""
        self._write("PATCH", self._subscription(found), HTTPStatus.OK, patch)

    def delete_subscription(self, found: Subscription) -> None:
        """Ask for its end."""
        self._delete(self._subscription(found))

    # --- payload logging (§5)

    def configuration(self, found: Subscription, monitor: str = LOGGING) -> dict[str, Any]:
        """A monitor's."""
        return self._client.get(f"{self._subscription(found)}/configurations/{monitor}")

    def configure(self, found: Subscription, monitor: str, body: dict[str, Any]) -> dict[str, Any]:
        """Enable or disable a monitor; its configuration as it is then."""
        return self._write("PUT", f"{self._subscription(found)}/configurations/{monitor}", HTTPStatus.OK, body)

    def table_schema(self, found: Subscription) -> list[dict[str, Any]]:
        """The columns of the payload table."""
        schema = self._client.get(f"{self._subscription(found)}/payload_table_schema").get("table_schema")
        fields = schema.get("fields") if isinstance(schema, dict) else None
        return [each for each in fields if isinstance(each, dict)] if isinstance(fields, list) else []

    def transactions(self, found: Subscription, limit: int, offset: int, *, count: bool) -> dict[str, Any]:
        """At most `PAGE` rows of the payload table from `offset`, newest first; `total_count` where asked."""
        query = {"subscription_id": found.id, "limit": str(limit), "offset": str(offset)}
        query |= {"include_total_count": "true"} if count else {}
        return self._client.get(self._client.at("scoring_transactions"), query)

    # --- how

    def _binding(self, binding_id: str) -> str:
        return self._client.at("service_bindings", binding_id)

    def _subscription(self, found: Subscription) -> str:
        return self._client.at("service_bindings", found.binding.id, "subscriptions", found.id)

    def _delete(self, path: str) -> None:
        self._send("DELETE", path, HTTPStatus.ACCEPTED, None, _FORCE)

    def _send(self, method: str, path: str, expected: int, body: Any, query: Mapping[str, str]) -> None:
        """A write whose answer says nothing."""
        self.written.append(Written(method, path + ("?force=true" if query else ""), body))
        if not self.dry:
            self._client.send(method, path, expected, body, query)

    def _new(self, method: str, path: str, body: Any) -> dict[str, Any] | None:
        """The object that was made; None where it is there already."""
        try:
            return self._write(method, path, HTTPStatus.CREATED, body)
        except MartError as error:
            if error.status == HTTPStatus.CONFLICT:
                return None
            raise

    def _write(self, method: str, path: str, expected: int, body: Any) -> dict[str, Any]:
        """The object that a write is answered with."""
        self.written.append(Written(method, path, body))
        return {} if self.dry else self._client.write(method, path, expected, body, {})


def _is_absent(error: MartError) -> bool:
    """The data mart itself says that there is no such thing; a wrong address says 404 in another form."""
    return error.status == HTTPStatus.NOT_FOUND and '"errors"' in error.answer
