"""Files and folders for their owner only, whatever the umask, and never through a link."""

import os
from pathlib import Path

__all__ = ["private_file", "private_folder"]


def private_folder(path: Path) -> None:
    """Make a folder (0700), and those above it, where there is none.

    Raises:
        OSError: it cannot be made.
    """
    if not path.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o700)


def private_file(path: Path) -> None:
    """Make an empty file (0600) where there is none.

    Raises:
        OSError: it cannot be opened to write; a link is not (`ELOOP`).
    """
    is_new = not path.exists()
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if is_new:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
