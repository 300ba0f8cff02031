"""An experiment as a value, and the built-in ones as TOML."""
