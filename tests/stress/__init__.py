"""Trying to break the pipeline, at length: ``make stress``. Short forms of it run in ``make test``.

Each module is one way of breaking it, and gives a table for docs/reliability.md.
"""
