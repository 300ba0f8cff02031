"""Whole files, locks, records, cores, errors in a line: what every room above stands on.

``errors`` and ``text`` say what goes wrong in a line; ``files``, ``array_files``, ``archive``,
``unpacking`` and ``csv_lines`` read and write; ``locks`` keeps commands apart, ``records`` gives
JSON a shape, ``due`` decides what is to be made again, ``provenance`` says what made it;
``reporter`` is told meanwhile.
"""
