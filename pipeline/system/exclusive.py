"""One installation at a time: ``python -m pipeline.exclusive FOLDER COMMAND ...``.

Two commands that find no virtual environment would both make it, one in the other's half-made
files. This needs nothing but the standard library, because nothing else is installed by then.
"""

import fcntl
import os
import sys


def main() -> None:
    """Become the command, once no other one holds the lock beside the folder.

    The lock is the process's own, and ends with it however it dies.
    """
    folder, *command = sys.argv[1:]
    try:
        lock = os.open(f"{folder}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Another make installs into {folder}; waiting for it to finish.", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        os.set_inheritable(lock, True)
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"Error: {folder}.lock: {error.strerror}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
