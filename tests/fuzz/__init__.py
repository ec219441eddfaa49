"""Millions of mutated records through all rooms: no crash, nothing slow, no memory, and never a wrong row."""
