"""Files: for their owner only, whatever the umask, and never through a link; replaced whole or not
at all; and read only where they are files: no pipes, devices or sockets that never end."""

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO

__all__ = ["check_regular", "open_regular", "private_file", "private_folder", "replacing"]


def open_regular(path: Path, most: int | None = None) -> BinaryIO:
    """A file, open to be read in bytes; of no more than `most` of them.

    Raises:
        OSError: it cannot be opened, or is a pipe, a device or the like: nobody knows when those
            end, nor whether they ever begin. Or it is longer.
    """
    check_regular(path, path.stat().st_mode)  # opening a device may already do something
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        there = os.fstat(descriptor)
        check_regular(path, there.st_mode)
        if most is not None and there.st_size > most:
            raise OSError(errno.EFBIG, f"it has more than {most:,} bytes", str(path))
    except OSError:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def check_regular(path: Path, mode: int) -> None:
    """Refuse what is no file.

    Raises:
        OSError: it is a folder, a pipe, a device or the like.
    """
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is not a file, but a pipe, a device or the like", str(path))


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
        OSError: it cannot be opened to write; a link is not (`ELOOP`), nor a pipe or a device.
    """
    is_new = not path.exists()
    flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags, 0o600)
    try:
        there = os.fstat(descriptor)
        check_regular(path, there.st_mode)
        is_wide = tighten and there.st_mode & 0o077 and there.st_uid == os.geteuid()
        if is_new or is_wide:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path, mode: int = 0o600) -> Iterator[IO[str]]:
    """A text file that takes the place of `path`, with these permissions, when the block ends
    without an error: either the old or the new one stands there, whatever happens.

    Raises:
        OSError: it cannot be written; what stood there is unchanged.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            os.fchmod(descriptor, mode)
            yield file
            file.flush()
            os.fsync(descriptor)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
