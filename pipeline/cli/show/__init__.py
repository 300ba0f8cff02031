"""Results for people's eyes: one function for each command, printing to a rich console.

On a terminal there are colours; elsewhere plain aligned lines, never cut to a width.
"""
