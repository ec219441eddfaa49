"""The v2 API of AI OpenScale, `/openscale/{instance}/v2/…`, beside v1 on the same data (contract §8).

An instance is a data mart: its id is the data mart's. A service binding is a service provider; a subscription is a
subscription, with one deployment in place of the list; what is stored through one of the two APIs is read through
either. v2 has no switch for payload logging: a subscription has a *data set* as soon as its logging was ever switched
on, which a subscription that v2 made has from the start.
"""
