"""The stage of the whole way, for the tests here as well."""

from tests.way.conftest import stage

__all__ = ["stage"]
