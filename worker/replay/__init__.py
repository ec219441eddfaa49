"""The worker on a bounded part of its topics, outside of its group: `replay`, and the shadow run of `run --dry-run`."""
