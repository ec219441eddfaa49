"""The runbook's procedures, read out of docs/runbook.md and followed on real Kafka."""
