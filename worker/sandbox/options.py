"""What a sandbox is told when it is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_MAX_BODY = 64 * 1024 * 1024


class OptionsError(ValueError):
    """The sandbox cannot start with these options; the message says which and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A sandbox's settings; the defaults make one that keeps nothing and accepts any API key.

    `store` is an SQLite file, or the URI of a PostgreSQL database (None: memory). `databases` says where the payload
    of a data mart is whose `setup` names a PostgreSQL database: there ("given"), or in the store too ("own"; the
    database is not asked). Rows are shown `store_delay_ms` after they were taken. `duplicates` says what a repeated
    scoring id does; `assets` is a JSON file of what the engines have deployed (see `assets.py`); `data_mart_id` is a
    data mart that is there from the start. With `api_key` no other key (nor ICP password) gets a token. A token lives
    `token_ttl` seconds, counted from the full second in which it was issued. `stored_status` is the answer to a post
    that was taken: 202 with JSON, or an empty 204.
    """

    store: Path | str | None = field(default=None, repr=False)
    databases: Literal["own", "given"] = "own"
    store_delay_ms: float = 0
    duplicates: Literal["ignore", "error"] = "ignore"
    assets: Path | None = None
    data_mart_id: str | None = None
    api_key: str | None = field(default=None, repr=False)
    token_ttl: float = 3600
    stored_status: Literal[202, 204] = 202
    max_body_bytes: int = DEFAULT_MAX_BODY
