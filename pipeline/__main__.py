"""``python -m pipeline <stage>``."""

import sys

from pipeline import HOW_TO_INSTALL

try:
    from pipeline.cli import main
except ModuleNotFoundError as missing:
    sys.exit(f"Error: the package {missing.name} is not installed\n{HOW_TO_INSTALL}")

if __name__ == "__main__":
    main()
