"""A local data mart on a socket: what tests, the demo and newcomers post to.

It speaks the v1 wire contract of AI OpenScale's data mart (tokens, data marts, service bindings, discovery,
subscriptions, payload logging), and beside it the v2 API on the same data (`v2/`). It keeps what it is sent in SQLite,
or in the PostgreSQL database that a data mart is set up with. Under `/sandbox/` it answers for itself: what it
received, what it stored, which assets it knows, and which faults it is to make. `/openapi.json` describes every call.

    options → app (routes) → catalogue (bindings, subscriptions) → stores ─┬─ sqlite    (documents, records, rows)
                 │             payloads → expand (natives, cells) ──┘      └─ postgres  (_link, _books, _tables)
                 │             v2/ ──→ the same
                 └ fault layer, authorisation: around every route that is not under /sandbox/
"""
