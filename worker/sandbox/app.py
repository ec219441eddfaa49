"""The sandbox as an ASGI application: where its parts are put together."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect

from worker.sandbox import errors
from worker.sandbox.assets import AssetRoutes, Assets
from worker.sandbox.bindings import BindingRoutes
from worker.sandbox.catalogue import Catalogue
from worker.sandbox.configurations import ConfigurationRoutes
from worker.sandbox.discovery import DiscoveryRoutes
from worker.sandbox.fault_layer import FaultLayer
from worker.sandbox.faults import FaultRoutes, Faults
from worker.sandbox.intake import PlainPaths
from worker.sandbox.last_resort import LastResort
from worker.sandbox.marts import INTERNAL, MartRoutes
from worker.sandbox.openapi import with_description
from worker.sandbox.payloads import PayloadRoutes
from worker.sandbox.stats import StatsRoutes
from worker.sandbox.store import UnavailableError
from worker.sandbox.stores import open_stores
from worker.sandbox.subscription_files import SubscriptionFileRoutes
from worker.sandbox.subscriptions import SubscriptionRoutes
from worker.sandbox.tally import Tally
from worker.sandbox.tokens import Authorised, TokenRoutes, Tokens
from worker.sandbox.transactions import TransactionRoutes
from worker.sandbox.unzip import Unzipped
from worker.sandbox.v2 import data_sets as v2_data_sets
from worker.sandbox.v2 import marts as v2_marts
from worker.sandbox.v2 import subscriptions as v2_subscriptions
from worker.sandbox.v2.data_sets import DataSets
from worker.sandbox.v2.entrance import EntranceRoutes
from worker.sandbox.v2.monitors import MonitorRoutes
from worker.sandbox.v2.providers import ProviderRoutes
from worker.sandbox.v2.records import RecordRoutes
from worker.sandbox.v2.requests import Requests

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from starlette.routing import Route

    from worker.sandbox.options import Options
    from worker.sandbox.store import Store
    from worker.sandbox.stores import MartStores

_HANDLERS = {
    errors.ApiError: errors.answer_api_error,
    UnavailableError: errors.answer_unavailable,
    HTTPException: errors.answer_http_exception,
    ClientDisconnect: errors.answer_disconnect,
}


def create_app(options: Options) -> Starlette:
    """A sandbox with these options; raises `OptionsError` where the store or the assets cannot be had.

    It keeps its state on one event loop: serve it by one process. The store is closed when the server shuts
    down.
    """
    assets = Assets()
    if options.assets is not None:
        assets.load(options.assets)
    store = open_stores(options)
    catalogue = Catalogue(store)
    if options.data_mart_id is not None and options.data_mart_id not in catalogue.marts:
        catalogue.save_mart(options.data_mart_id, INTERNAL)
    tokens, faults = Tokens(options.token_ttl), Faults()
    routes = [
        *TokenRoutes(tokens, options.api_key).routes(),
        *EntranceRoutes(TokenRoutes(tokens, options.api_key), catalogue).routes(),
        *MartRoutes(catalogue, store).routes(),
        *_mart_routes(catalogue, store, assets),
        *_v2_routes(catalogue, store),
        *_payload_routes(catalogue, store, faults, options),
        *AssetRoutes(assets).routes(),
        *FaultRoutes(faults).routes(),
    ]
    app = Starlette(
        routes=with_description(routes),
        middleware=[
            Middleware(LastResort),
            Middleware(PlainPaths),
            Middleware(Unzipped, options.max_body_bytes),
            Middleware(FaultLayer, faults),
            Middleware(Authorised, tokens),
        ],
        exception_handlers=_HANDLERS,
        lifespan=_closing(store),
    )
    # an unknown path is a 404, with a slash at its end too
    app.router.redirect_slashes = False
    return app


def _mart_routes(catalogue: Catalogue, store: Store, assets: Assets) -> list[Route]:
    """The control plane within a data mart."""
    subscriptions = SubscriptionRoutes(catalogue)
    return [
        *BindingRoutes(catalogue).routes(),
        *DiscoveryRoutes(catalogue, assets).routes(),
        *subscriptions.routes(),
        *SubscriptionFileRoutes(subscriptions).routes(),
        *ConfigurationRoutes(catalogue, store, subscriptions).routes(),
    ]


def _v2_routes(catalogue: Catalogue, stores: MartStores) -> list[Route]:
    """The control plane of v2."""
    return [
        *v2_marts.MartRoutes(catalogue, stores).routes(),
        *ProviderRoutes(catalogue).routes(),
        *v2_subscriptions.SubscriptionRoutes(catalogue).routes(),
        *MonitorRoutes(catalogue).routes(),
    ]


def _payload_routes(catalogue: Catalogue, store: Store, faults: Faults, options: Options) -> list[Route]:
    """The payload through both APIs, and what is told of it."""
    tally, requests, data_sets = Tally(), Requests(options.store_delay_ms / 1000), DataSets(catalogue)
    return [
        *PayloadRoutes(catalogue, store, tally, options).routes(),
        *TransactionRoutes(catalogue, store).routes(),
        *v2_data_sets.DataSetRoutes(catalogue, store, data_sets).routes(),
        *RecordRoutes(data_sets, store, tally, requests, options).routes(),
        *StatsRoutes(store, tally, faults).routes(),
    ]


def _closing(store: Store) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            store.close()

    return lifespan
