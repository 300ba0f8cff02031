"""The process that runs a command: ``python -m pipeline <stage>``, or ``digits <stage>``."""

import sys
import warnings

from pipeline import HOW_TO_INSTALL
from pipeline.system.errors import NO_MEMORY, explain

if not sys.warnoptions:
    # Libraries' warnings are for programmers; -W or PYTHONWARNINGS shows them.
    warnings.simplefilter("ignore")

try:
    from pipeline import cli
    from pipeline.cli.endings import listen_for_requests
except ModuleNotFoundError as missing:
    sys.exit(f"Error: the package {missing.name} is not installed\n{HOW_TO_INSTALL}")
except OSError as refused:
    sys.exit("Error: " + "\n".join(explain(refused)))
except MemoryError:
    sys.exit("Error: " + "\n".join(NO_MEMORY))
except KeyboardInterrupt:
    sys.exit(130)


def main() -> None:
    """Run the command that was typed."""
    listen_for_requests()
    cli.main()


if __name__ == "__main__":
    main()
