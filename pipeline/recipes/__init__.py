"""An experiment as a value, and the built-in ones as TOML.

``file`` is a recipe's file, read once; ``recipe`` the value that it says, made of ``sections``
and of ``ranges`` to search; ``toml_text`` writes it, ``differences`` tells two apart.
"""
