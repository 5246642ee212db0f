"""The four files of amx-kimi, and the only way to write one: lock, re-read, change, replace.

`config.yml` belongs to AMX; `kimi.yml` belongs to amx-kimi, and people edit it too;
`kimi-learned.json` is disposable; `kimi.db` is the journal. `AMX_CONFIG_DIR` moves all four.
"""

import errno
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from amx_kimi.conceal import shown
from amx_kimi.errors import ConfigFileError
from amx_kimi.files import open_regular, private_file, private_folder, replacing
from amx_kimi.plain_yaml import YAMLTextError, load_yaml

__all__ = [
    "config_path",
    "journal_path",
    "learned_path",
    "overlay_path",
    "read_bounded",
    "read_yaml",
    "rewrite",
]

_LOCK_SECONDS = 60.0
_MOST_CHARACTERS = 2_000_000


def config_path(folder: Path) -> Path:
    """AMX's own configuration."""
    return folder / "config.yml"


def overlay_path(folder: Path) -> Path:
    """amx-kimi's settings that AMX does not know."""
    return folder / "kimi.yml"


def learned_path(folder: Path) -> Path:
    """What endpoints taught; may be deleted at any time."""
    return folder / "kimi-learned.json"


def journal_path(folder: Path) -> Path:
    """The results of all runs."""
    return folder / "kimi.db"


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file, read as AMX reads it (PyYAML); empty when the file is absent.

    Raises:
        ConfigFileError: the file cannot be read or parsed; names file and line.
    """
    try:
        document = load_yaml(read_bounded(path))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigFileError(f"{path} cannot be read: {error}") from None
    except YAMLTextError as error:
        line = f", line {error.line}" if error.line else ""
        raise ConfigFileError(
            f"{path}{line}: not valid YAML: {error}",
            remedy="Correct the file; nothing was changed.",
        ) from None
    if document is None:
        return {}
    if not isinstance(document, Mapping):
        raise ConfigFileError(f"{path}: expected a mapping at the top, found {shown(document)}")
    return dict(document)


def read_bounded(path: Path, most: int = _MOST_CHARACTERS, *, errors: str = "strict") -> str:
    """A file's text, of at most `most` characters.

    Raises:
        OSError: it cannot be read, is longer, or is not a file but a pipe or device.
        UnicodeDecodeError: it is not UTF-8, and `errors` is strict.
    """
    with io.TextIOWrapper(open_regular(path), encoding="utf-8", errors=errors) as file:
        text = file.read(most + 1)
    if len(text) > most:
        raise OSError(errno.EFBIG, f"it has more than {most:,} characters", str(path))
    return text


def rewrite(path: Path, change: Callable[[str], str], *, undecodable: str = "strict") -> None:
    """Replace the text of `path` by `change(text)` ("" if absent), atomically and under a lock.

    The file and its folder are readable by their owner only. `undecodable` says how to treat
    bytes that are not UTF-8, as the `errors` of `str.decode` does.

    Raises:
        ConfigFileError: the folder or file cannot be written, or another writer holds the lock.
    """
    if path.is_symlink():  # it may lead a secret elsewhere; AMX's save would replace it, too
        raise ConfigFileError(
            f"{path} is a link to {path.readlink()}; amx-kimi does not write through links",
            remedy="Put the file itself there, or set AMX_CONFIG_DIR to its folder.",
        )
    try:
        private_folder(path.parent)
        lock = path.with_name(path.name + ".lock")
        private_file(lock)
        with FileLock(lock, timeout=_LOCK_SECONDS, mode=0o600):
            text = read_bounded(path, errors=undecodable) if path.exists() else ""
            _replace(path, change(text))
    except Timeout:
        raise ConfigFileError(
            f"{path} has been locked by another process for {_LOCK_SECONDS:.0f} seconds",
            remedy="Try again when that process has finished.",
        ) from None
    except (OSError, UnicodeError) as error:
        raise ConfigFileError(f"{path} cannot be written: {error}; it is unchanged") from None


def _replace(path: Path, text: str) -> None:
    # Temporary files that a killed writer left: nobody else writes while we hold the lock.
    for left in path.parent.glob(f".{path.name}.*"):
        left.unlink()
    with replacing(path) as file:
        file.write(text)
