"""What every command shares: options, the way out for errors, and output.

Commands import heavy packages inside their functions, so that `--help` loads none of them.
"""

import codecs
import io
import json
import logging
import re
import shlex
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from amx_kimi.conceal import conceal_text
from amx_kimi.errors import KimiError
from amx_kimi.wrap import visible, wrap

if TYPE_CHECKING:
    from rich.console import Console

    from amx_kimi.annotate.sources import Csv, Selection

__all__ = [
    "INTERRUPTED",
    "LIMITS",
    "KimiCommand",
    "KimiGroup",
    "State",
    "as_typed",
    "choice_options",
    "chosen",
    "complete_profiles",
    "complete_runs",
    "console",
    "database_options",
    "echo_json",
    "json_option",
    "limit_options",
    "pasted",
    "profile_option",
    "prompt_options",
    "run_main",
    "say",
    "schema_option",
    "store_option",
    "table_option",
    "warn",
]

_F = TypeVar("_F", bound=Callable[..., Any])
INTERRUPTED = 130


@dataclass
class State:
    """What the options that every command has were set to, and whether a session runs it."""

    debug: bool = False
    session: bool = False


def _set_debug(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(State).debug = True


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
            help="Append events to this file, one JSON object a line.",
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
    """A command with `--debug` and `--log-file`, whose help names commands as they are typed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += _every_option()

    def get_help(self, ctx: click.Context) -> str:
        return as_typed(super().get_help(ctx))


class KimiCommand(_Ours):
    """A command of ours."""


class KimiGroup(_Ours, click.Group):
    """A command that has others below it."""

    command_class = KimiCommand


def complete_profiles(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """The names of the LLM profiles that begin so, for the shell's completion and the session's."""
    from amx_kimi.config import profile_names
    from amx_kimi.settings import Settings

    try:
        names = profile_names(Settings.from_environment())
    except KimiError:
        return []
    return [name for name in names if name.startswith(incomplete)]


def complete_runs(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """`last`, and the ids of the runs in the usual journal that begin so, newest first."""
    from amx_kimi.config import journal_path
    from amx_kimi.journal import Journal
    from amx_kimi.journal.runs import list_runs
    from amx_kimi.settings import Settings

    try:
        path = journal_path(Settings.from_environment().config_dir)
        with Journal(path, create=False) as journal:
            ids = [run.id for run in journal.stream(list_runs)]
    except KimiError:
        ids = []
    return [id_ for id_ in ("last", *ids) if id_.startswith(incomplete)]


def json_option(function: _F) -> _F:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def table_option(function: _F) -> _F:
    """`--table T`, of which `Selection` takes the names and patterns."""
    return click.option(
        "--table",
        "tables",
        metavar="T",
        multiple=True,
        help="Only this table or schema.table, or those of a pattern: 'sales.*'; not those of "
        "'!tmp_*' (repeat).",
    )(function)


def schema_option(function: _F) -> _F:
    """`--schema S`, likewise."""
    return click.option(
        "--schema",
        "schemas",
        metavar="S",
        multiple=True,
        help="Only this schema, or those of a pattern; not those of '!tmp_*' (repeat).",
    )(function)


def profile_option(function: _F) -> _F:
    """`--profile NAME`."""
    return click.option(
        "--profile",
        metavar="NAME",
        shell_complete=complete_profiles,
        help="The LLM profile (default: the active one).",
    )(function)


def database_options(function: _F) -> _F:
    """`[URL]…`, `--db-profile`; which tables, and how files are read. See `chosen`."""
    for decorate in (
        click.option(
            "--csv-header",
            type=click.Choice(["yes", "no"]),
            help="Whether CSV and TSV files begin with a line of names (else: guessed).",
        ),
        click.option(
            "--csv-separator",
            metavar="C",
            callback=_separator,
            help="What separates the values of CSV and TSV files, or `tab` (else: guessed).",
        ),
        click.option(
            "--csv-encoding",
            metavar="E",
            callback=_encoding,
            help="The encoding of CSV and TSV files, such as cp1252 or gb18030 (else: guessed).",
        ),
        click.option(
            "--with-extensions",
            is_flag=True,
            help="Also the tables that belong to PostgreSQL's extensions.",
        ),
        table_option,
        schema_option,
        click.option("--db-profile", metavar="NAME", help="One of AMX's database profiles."),
        click.argument("urls", metavar="[URL]", nargs=-1),
    ):
        function = decorate(function)
    return function


def _separator(_: click.Context, __: click.Parameter, value: str | None) -> str:
    words = {"tab": "\t", "\\t": "\t"}
    separator = words.get(value or "", value or "")
    if len(separator.encode()) > _LONGEST_SEPARATOR or set(separator) & set('"\r\n'):
        raise click.BadParameter(f"{value!r} is no separator, such as `;`, `|` or `tab`")
    return separator


_LONGEST_SEPARATOR = 4  # DuckDB's


def _encoding(_: click.Context, __: click.Parameter, value: str | None) -> str:
    if not value:
        return ""
    try:
        "".encode(value)  # refuses what is no encoding of texts, too
        return codecs.lookup(value).name
    except (LookupError, ValueError):
        raise click.BadParameter(
            f"{value!r} is no encoding, such as utf-8, cp1252, gb18030 or utf-16"
        ) from None


def chosen(options: dict[str, Any]) -> "tuple[Selection, Csv]":
    """What `database_options` say: which tables, and how files of separated values are read."""
    from amx_kimi.annotate.sources import Csv, Selection

    selection = Selection(options["schemas"], options["tables"], options["with_extensions"])
    encoding, separator = options["csv_encoding"], options["csv_separator"]
    return selection, Csv(encoding, separator, options["csv_header"] or "")


def prompt_options(function: _F) -> _F:
    """What decides which texts stand in a run's prompts."""
    for decorate in (
        click.option(
            "--profile-data",
            is_flag=True,
            help="Look into tables that the server's own statistics know nothing of (bounded).",
        ),
        click.option(
            "--names-only", is_flag=True, help="Send names, types and keys, and nothing else."
        ),
        click.option(
            "--no-samples", is_flag=True, help="Send no values, ranges or shapes of values."
        ),
        click.option(
            "--batch-size", type=click.IntRange(1, 500), metavar="N", help="Columns in one request."
        ),
        click.option(
            "--context",
            metavar="FILE",
            multiple=True,
            help="A glossary, house rules, or a dbt manifest.json (repeat).",
        ),
        click.option(
            "--language", metavar="L", help="Language of the descriptions, such as en or de."
        ),
    ):
        function = decorate(function)
    return function


LIMITS = ("tier", "concurrency", "rpm", "tpm")


def limit_options(function: _F) -> _F:
    """The account's limits: `--tier`, `--concurrency`, `--rpm`, `--tpm`."""
    for name, metavar, text in (
        ("--tpm", "N", "Tokens a minute, charged up front, at most."),
        ("--rpm", "N", "Requests a minute, at most."),
        ("--concurrency", "N", "Requests at once, at most."),
        ("--tier", "T", "The account's tier, as a hint of its limits."),
    ):
        least = 0 if name == "--tier" else 1
        option = click.option(name, type=click.IntRange(least), metavar=metavar, help=text)
        function = option(function)
    return function


def choice_options(function: _F) -> _F:
    """Which suggestions may leave: `--unreviewed`, `--min-confidence`."""
    for decorate in (
        click.option(
            "--min-confidence",
            type=click.Choice(["high", "medium", "low"]),
            help="With --unreviewed: only those that are at least so sure.",
        ),
        click.option(
            "--unreviewed",
            is_flag=True,
            help="Also what nobody has decided yet: the best wording of each.",
        ),
    ):
        function = decorate(function)
    return function


def store_option(function: _F) -> _F:
    """`--store URL`."""
    return click.option(
        "--store",
        metavar="URL",
        help="The journal: a SQLite or PostgreSQL URL (default: kimi.db in AMX's folder).",
    )(function)


def run_main(
    group: click.Group, arguments: list[str] | None = None, *, session: bool = False
) -> int:
    """Run the command line; returns the exit code. No traceback without `--debug`."""
    state = State(session=session)
    # Interrupted, it shows a traceback of what it could not close.
    logging.getLogger("sqlalchemy").addHandler(logging.NullHandler())
    try:
        code = group.main(arguments, prog_name="amx-kimi", standalone_mode=False, obj=state)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        text = io.StringIO()
        error.show(text)
        said = conceal_text(text.getvalue())
        click.echo(_with_slash(said, group) if session else said, err=True, nl=False)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        warn("Interrupted.")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has left, such as `head`
        sys.stderr.close()
        return 0
    except KimiError as error:
        _show_traceback(state)
        warn(_with_slash(str(error), group) if session else str(error), label="Error")
        return error.exit_code
    except Exception as error:
        _show_traceback(state)
        error = _cause(error)
        if isinstance(error, KimiError):
            warn(str(error), label="Error")
            return error.exit_code
        hint = "" if state.debug else " Run it again with --debug to see where."
        warn(f"Unexpected {type(error).__name__}: {error}.{hint}", label="Error")
        return 1


def _cause(error: Exception) -> Exception:
    """The first error inside of a group of them, ours before any other."""
    found = [error]
    for one in found:
        if isinstance(one, ExceptionGroup):
            found += one.exceptions
    plain = [one for one in found if not isinstance(one, ExceptionGroup)]
    return next((one for one in plain if isinstance(one, KimiError)), plain[0])


def _show_traceback(state: State) -> None:
    if state.debug:
        traceback.print_exc()


def as_typed(text: str) -> str:
    """`text` with the commands that it names as they are typed here: with a slash in a session."""
    context = click.get_current_context(silent=True)
    root = context.find_root() if context else None
    if not (root and isinstance(root.obj, State) and root.obj.session):
        return text
    return _with_slash(text, root.command)


def _with_slash(text: str, group: click.Command) -> str:
    names = group.commands if isinstance(group, click.Group) else ()
    return re.sub(rf"\bamx-kimi\s+(?=({'|'.join(map(re.escape, names))})\b)", "/", text)


def pasted(word: str) -> str:
    """An argument that was given, as it is typed again in a shell: of a URL without its password,
    which is then asked for, or comes from where the driver looks for it."""
    from sqlalchemy.engine import URL, make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(word) if "://" in word else None
    except (ArgumentError, ValueError):
        url = None
    if url and url.password:
        place = (url.host, url.port, url.database, url.query)
        word = URL.create(url.drivername, url.username, None, *place).render_as_string()
    return shlex.quote(word)


def say(message: str, *, mark: str = "") -> None:
    """A line for people on stdout, without what they should not be shown raw; `mark` stands before
    it as it is, such as a coloured word of ours."""
    click.echo(mark + visible(as_typed(message)))


def warn(message: str, *, label: str = "") -> None:
    """The same on stderr."""
    message = visible(as_typed(message))
    prefix = click.style(f"{label}: ", fg="red", bold=True) if label else ""
    shown = wrap(message) if sys.stderr.isatty() else message
    click.echo(prefix + shown, err=True)


def echo_json(value: Any) -> None:
    """`value` as one line of JSON on stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, default=str))


def console(*, stderr: bool = False) -> "Console":
    """A rich console; it honours NO_COLOR, TERM=dumb and pipes by itself."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)
