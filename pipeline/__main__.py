"""``python -m pipeline <stage>``."""

from pipeline.cli import main

if __name__ == "__main__":
    main()
