"""What every command shares: `--debug` and `--log-file`, the journal, and output.

Commands import heavy packages inside their functions, so that `--help` loads none of them.
"""

import json
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from amx_kimi.text import visible, wrap

if TYPE_CHECKING:
    from rich.console import Console

    from amx_kimi.journal import Journal
    from amx_kimi.settings import Settings

__all__ = [
    "INTERRUPTED",
    "Invocation",
    "KimiCommand",
    "KimiGroup",
    "as_typed",
    "console",
    "echo_json",
    "open_journal",
    "pasted",
    "say",
    "warn",
    "with_slash",
]

INTERRUPTED = 130


@dataclass
class Invocation:
    """The state of one command: `--debug`, and whether a session runs it."""

    debug: bool = False
    session: bool = False


def _set_debug(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Invocation).debug = True


def _set_log_file(context: click.Context, _: click.Parameter, value: Path | None) -> None:
    if value is None:
        return
    from amx_kimi.log import log_to_file

    try:
        handler = log_to_file(value)
    except OSError as error:
        raise click.BadParameter(f"{value} cannot be written: {error.strerror}") from None
    context.find_root().call_on_close(handler.close)


def _every_option() -> list[click.Parameter]:
    return [
        click.Option(
            ["--log-file"],
            type=click.Path(dir_okay=False, path_type=Path),
            expose_value=False,
            callback=_set_log_file,
            help="Append events to this file, one JSON object per line.",
        ),
        click.Option(
            ["--debug"],
            is_flag=True,
            expose_value=False,
            callback=_set_debug,
            help="Show a traceback when something fails.",
        ),
    ]


class _Ours(click.Command):
    """A command with `--debug` and `--log-file`; in a session, its help names /commands."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += _every_option()

    def get_help(self, ctx: click.Context) -> str:
        return as_typed(super().get_help(ctx))


class KimiCommand(_Ours):
    """A command of amx-kimi."""


class KimiGroup(_Ours, click.Group):
    """A command that has subcommands."""

    command_class = KimiCommand


def open_journal(store: str | None, settings: "Settings", *, create: bool = True) -> "Journal":
    """The journal named by `--store` (a URL or a path), or the one in AMX's folder.

    Raises:
        JournalError: it cannot be opened.
    """
    from amx_kimi.config import journal_path
    from amx_kimi.journal import Journal

    return Journal(store or journal_path(settings.config_dir), create=create)


def as_typed(text: str) -> str:
    """`text` with the commands in it as a user types them here: with a slash in a session."""
    context = click.get_current_context(silent=True)
    root = context.find_root() if context else None
    if not (root and isinstance(root.obj, Invocation) and root.obj.session):
        return text
    return with_slash(text, root.command)


def with_slash(text: str, group: click.Command) -> str:
    """`text` with `amx-kimi run` replaced by `/run`, and so for every command of `group`."""
    names = group.commands if isinstance(group, click.Group) else ()
    command = "|".join(map(re.escape, names))
    return re.sub(rf"\bamx-kimi\s+(?=({command})\b)", "/", text)


def pasted(word: str) -> str:
    """An argument, quoted so that it can be pasted into a shell. A URL loses its secrets: the user
    is asked for them, or the driver finds them."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    from amx_kimi.databases.server.connect import without_secrets

    try:
        url = make_url(word) if "://" in word else None
    except (ArgumentError, ValueError):
        url = None
    if url and (bare := without_secrets(url)) != url.set(drivername=bare.drivername):
        word = bare.render_as_string()
    return shlex.quote(word)


def say(message: str, *, mark: str = "") -> None:
    """Print a line on stdout, without control characters. `mark` precedes it as it is, such as a
    colored word."""
    click.echo(mark + visible(as_typed(message)))


def warn(message: str, *, label: str = "") -> None:
    """Print a message on stderr, without control characters, after a red `label` if given."""
    message = visible(as_typed(message))
    prefix = click.style(f"{label}: ", fg="red", bold=True) if label else ""
    shown = wrap(message) if sys.stderr.isatty() else message
    click.echo(prefix + shown, err=True)


def echo_json(value: Any) -> None:
    """`value` as one line of JSON on stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, default=str))


def console(*, stderr: bool = False) -> "Console":
    """A rich console; it honors NO_COLOR, TERM=dumb and pipes by itself."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)
