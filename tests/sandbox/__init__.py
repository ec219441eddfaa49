"""The sandbox, over a real socket, held against the wire contract."""
