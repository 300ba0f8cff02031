"""Whole files, locks, records, cores, errors in a line: what every room above stands on."""
