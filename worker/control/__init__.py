"""The control plane for people: what `payload-worker mart` does to a data mart, its bindings and its subscriptions.

From the outside in: `commands` parse and print, `changes` say what is to be done and do it, `plane` makes the calls.
`engines`, `bodies`, `found`, `masking` and `wanted` are pure.
"""
