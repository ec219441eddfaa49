"""`run --processes N`: a supervisor that reads nothing itself, and workers as processes of their own, one group."""
