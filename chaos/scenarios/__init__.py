"""The scenarios: each module here has a tuple `SCENARIOS`."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chaos.scenario import Scenario


def scenarios() -> list[Scenario]:
    """All of them, in the order of the list."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    return sorted((each for module in modules for each in module.SCENARIOS), key=lambda each: each.number)
