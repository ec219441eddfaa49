"""Tests of the payload worker; what they share is in `conftest.py`."""
