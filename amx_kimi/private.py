"""Files and folders for their owner only, whatever the umask, and never through a link."""

import os
from pathlib import Path

__all__ = ["private_file", "private_folder"]


def private_folder(path: Path) -> None:
    """Make a folder (0700), and those above it, where there is none.

    Raises:
        OSError: it cannot be made.
    """
    if path.is_dir():
        return
    private_folder(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    path.chmod(0o700)


def private_file(path: Path, *, tighten: bool = True) -> None:
    """Make an empty file (0600) where there is none; one of ours that others may read is not left
    so, unless `tighten` is False.

    Raises:
        OSError: it cannot be opened to write; a link is not (`ELOOP`).
    """
    is_new = not path.exists()
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        there = os.fstat(descriptor)
        is_wide = tighten and there.st_mode & 0o077 and there.st_uid == os.geteuid()
        if is_new or is_wide:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
