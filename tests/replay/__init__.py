"""Tests of replay and of the shadow run."""
