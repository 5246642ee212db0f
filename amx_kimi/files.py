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

__all__ = [
    "check_regular",
    "open_regular",
    "plain_open",
    "private_file",
    "private_folder",
    "replacing",
]

# Windows has none of the first three, and would change line ends without the last.
_FLAGS = ("O_CLOEXEC", "O_NONBLOCK", "O_NOFOLLOW", "O_BINARY")
_CLOEXEC, _NONBLOCK, _NOFOLLOW, _BINARY = (getattr(os, flag, 0) for flag in _FLAGS)


def open_regular(path: Path, most: int | None = None) -> BinaryIO:
    """A file, open to be read in bytes; of no more than `most` of them.

    Raises:
        OSError: it cannot be opened, or is a pipe, a device or the like: nobody knows when those
            end, nor whether they ever begin. Or it is longer.
    """
    check_regular(path, path.stat().st_mode)  # opening a device may already do something
    descriptor = plain_open(path, os.O_RDONLY)
    try:
        there = os.fstat(descriptor)
        check_regular(path, there.st_mode)
        if most is not None and there.st_size > most:
            raise OSError(errno.EFBIG, f"it has more than {most:,} bytes", str(path))
    except OSError:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def plain_open(path: Path, flags: int, *, follow: bool = True) -> int:
    """`os.open` that waits for no pipe and is not inherited; a new file is 0600.

    Raises:
        OSError: it cannot be opened; a link is not (`ELOOP`), unless it is to be followed.
    """
    if not follow and not _NOFOLLOW and path.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    flags |= _CLOEXEC | _NONBLOCK | _BINARY | (0 if follow else _NOFOLLOW)
    return os.open(path, flags, 0o600)


def _set_mode(descriptor: int, mode: int = 0o600) -> None:
    """The permissions of an open file. On Windows, its folder's say who may read it."""
    if os.name != "nt":
        os.fchmod(descriptor, mode)


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
    descriptor = plain_open(path, os.O_CREAT | os.O_RDWR, follow=False)
    try:
        there = os.fstat(descriptor)
        check_regular(path, there.st_mode)
        is_wide = tighten and there.st_mode & 0o077 and _is_ours(there)
        if is_new or is_wide:
            _set_mode(descriptor)
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
            _set_mode(descriptor, mode)
            yield file
            file.flush()
            os.fsync(descriptor)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _is_ours(there: os.stat_result) -> bool:
    return os.name == "nt" or there.st_uid == os.geteuid()
