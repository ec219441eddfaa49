"""IBM's own v1 client drives the sandbox, in an environment of its own and as it is published.

`install` makes that environment, `drive` is the program that runs in it, `driver` its side here; `engines` and `flows`
say what is driven.
"""
