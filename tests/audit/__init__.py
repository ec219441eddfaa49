"""Tests of the audit, and of the trace of one event."""
