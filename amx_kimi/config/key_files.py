"""Key files: `keys/NAME.key` beside config.yml, for systems without an OS keyring."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from amx_kimi.config.files import read_bounded, rewrite
from amx_kimi.config.overlay import load_overlay
from amx_kimi.types import Secret

__all__ = ["forget_key_file", "key_file", "write_key_file"]

_KIND = "file:"


def key_file(folder: Path, name: str, present: str = "") -> Path:
    """The file for the key of the profile `name`: the key file that its `present` reference names,
    else one that does not exist yet."""
    if (mine := _ours(folder, present)) is not None:
        return mine
    path, number = _keys(folder) / f"{name}.key", 1
    while path.exists() or path.is_symlink():
        number += 1
        path = _keys(folder) / f"{name}-{number}.key"
    return path


def write_key_file(path: Path, key: Secret) -> Callable[[], None]:
    """Write a key, readable by its owner only; returns a function that restores the old content.

    Raises:
        ConfigFileError: it cannot be written; it is unchanged.
    """
    before = read_bounded(path) if path.exists() else None
    rewrite(path, lambda _: key.reveal() + "\n")
    return lambda: _remove(path) if before is None else rewrite(path, lambda _: before)


def forget_key_file(folder: Path, reference: str) -> bool:
    """Delete the key file that a reference names, unless a profile still refers to it.

    Only files in `keys/` are deleted. Returns whether it was there.

    Raises:
        OSError: it cannot be deleted.
    """
    path = _ours(folder, reference)
    profiles = load_overlay(folder).profiles.values()
    in_use = {_ours(folder, one.api_key_ref or "") for one in profiles}
    if path is None or path in in_use or not path.exists():
        return False
    _remove(path)
    return True


def _keys(folder: Path) -> Path:
    return folder.absolute() / "keys"


def _ours(folder: Path, reference: str) -> Path | None:
    path = Path(reference.removeprefix(_KIND))
    with suppress(RuntimeError):  # ~nobody
        path = path.expanduser()
    is_key = path.parent == _keys(folder) and path.suffix == ".key"
    return path if is_key and reference.startswith(_KIND) else None


def _remove(path: Path) -> None:
    path.unlink()
    with suppress(OSError):
        path.with_name(path.name + ".lock").unlink()
