"""The benchmark measures what it says, and its contenders do the same work."""
