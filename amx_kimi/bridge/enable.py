"""Enables Kimi in every AMX process of an environment: a `.pth` line, and a hook file beside it.

Both are in the environment's site-packages, so that they are moved and deleted with it.
"""

import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from amx_kimi.bridge.compare import amx_folder, amx_version, misfits
from amx_kimi.errors import ConfigError

__all__ = ["Status", "disable", "enable", "status"]

_NAME = "amx_kimi_hook"
# The line catches errors itself; else a missing hook would print a traceback at each Python start.
_LINE = f'import sys; exec("try:\\n import {_NAME}\\nexcept BaseException:\\n pass")\n'


@dataclass(frozen=True)
class Status:
    """Whether kimi is enabled in AMX here, the version of that AMX, and what does not fit."""

    enabled: bool
    folder: Path
    amx: str
    misfits: tuple[str, ...]


def status() -> Status:
    """The state of this environment."""
    folder, amx = _folder(), amx_folder()
    enabled = all(path.exists() for path in (_pth(folder), _hook(folder)))
    return Status(enabled, folder, amx_version(), tuple(misfits(amx)) if amx else ())


def enable() -> bool:
    """Enable Kimi; returns whether that changed anything.

    Raises:
        ConfigError: there is no AMX here, it does not fit, or its folder cannot be written.
    """
    now = status()
    if not now.amx:
        raise ConfigError(
            "AMX is not installed in this environment",
            remedy="pip install amx-cli, beside amx-kimi.",
        )
    if now.misfits:
        raise ConfigError(
            f"AMX {now.amx} is not supported by this amx-kimi: {now.misfits[0]}",
            remedy="AMX was not changed. A newer amx-kimi may support it: pip install -U amx-kimi.",
        )
    source = Path(__file__).with_name("hook.py").read_text("utf-8")
    with _writing(now.folder):
        # The hook is written first, because the line needs it.
        changed = _write(_hook(now.folder), source)
        return _write(_pth(now.folder), _LINE) or changed


def disable() -> bool:
    """Disable Kimi without a trace; returns whether that changed anything.

    Raises:
        ConfigError: the folder cannot be written.
    """
    folder = _folder()
    compiled = (folder / "__pycache__").glob(f"{_NAME}.*")
    files = [_pth(folder), _hook(folder), *compiled]
    there = [path for path in files if path.exists()]
    with _writing(folder):
        for path in there:
            path.unlink()
    return bool(there)


def _folder() -> Path:
    return Path(sysconfig.get_path("purelib"))


def _pth(folder: Path) -> Path:
    return folder / f"{_NAME}.pth"


def _hook(folder: Path) -> Path:
    return folder / f"{_NAME}.py"


def _write(path: Path, text: str) -> bool:
    with suppress(OSError):
        if path.read_text("utf-8") == text:
            return False
    path.write_text(text, "utf-8")
    return True


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turns a failed write into a clear error."""
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be written: {error.strerror}",
            remedy="Use your own virtual environment, or `amx-kimi amx ARGS` instead.",
        ) from None
