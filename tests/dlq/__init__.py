"""Tests of the commands for dead letters."""
