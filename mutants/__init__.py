"""Deliberate defects, each of a kind that loses records or stands still, and the tests that catch them.

A test that nothing can make fail says nothing. `python -m mutants` puts one defect at a time into a copy of the tree
and runs the tests that are named with it: a defect that survives is a hole in the tests.
"""
