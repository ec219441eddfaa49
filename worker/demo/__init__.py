"""The whole job on one machine, in under a minute: what `payload-worker demo` plays.

    loans ─► protocols ─► engines        applicants, scored over HTTP in each engine's own native form
               │
               ▼
            producer ─► broker ─► workers ─► sandbox      events, a share of them bad (`mistakes`)
                          │          │          └ posts, a share of them made to fail (`troubles`)
                          └──── dead letters ◄──┘
               │                     │          │
               └────► accounting ◄───┴──────────┘         what was sent against what is there (`ends`)

`play` puts it on, `show` tells of it. Nothing is left running, and nothing on the disk.
"""
