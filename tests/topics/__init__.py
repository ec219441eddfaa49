"""Tests of what looks into topics."""
