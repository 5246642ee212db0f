"""Opens the files that commands write: readable by their owner only, unless `--mode` says more."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any, TypeVar

import click

from amx_kimi.conceal import shown

__all__ = ["mode_option", "output"]

_F = TypeVar("_F", bound=Callable[..., Any])
_MODE = "amx_kimi.mode"


def mode_option(function: _F) -> _F:
    """`--mode 644`, for `output` to follow."""
    return click.option(
        "--mode",
        metavar="MODE",
        expose_value=False,
        callback=_keep_mode,
        help="The file's permissions, such as 644 (default: 600, or those of the replaced file).",
    )(function)


def _keep_mode(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None and not re.fullmatch("0?6[0-7]{2}", value):
        raise click.BadParameter(f"{shown(value)} is not a valid file mode, such as 644 or 640")
    ctx.meta[_MODE] = int(value, 8) if value else None


def output(path: Path) -> AbstractContextManager[IO[str]]:
    """A command's file, as `open_output` opens it, with the permissions that `--mode` names."""
    from amx_kimi.publish.export import open_output

    return open_output(path, click.get_current_context().meta.get(_MODE))
