"""The options that several commands have, and their shell completion."""

import codecs
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from amx_kimi.errors import KimiError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from amx_kimi.databases.base import Csv, Selection

__all__ = [
    "LIMITS",
    "catalog_option",
    "choice_options",
    "chosen",
    "complete_paths",
    "complete_profiles",
    "complete_runs",
    "database_options",
    "json_option",
    "limit_options",
    "profile_option",
    "profile_or_preset_option",
    "prompt_options",
    "schema_option",
    "store_option",
    "table_option",
    "yes_option",
]

_F = TypeVar("_F", bound=Callable[..., Any])


def complete_paths(
    _: click.Context, __: click.Parameter, incomplete: str
) -> "list[CompletionItem]":
    """The shell completes this word as the path of a file; a URL has no completion."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def complete_profiles(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """The LLM profiles whose names begin with `incomplete`, for shell and session completion."""
    from amx_kimi.config import profile_names
    from amx_kimi.settings import Settings

    try:
        names = profile_names(Settings.from_environment())
    except KimiError:
        return []
    return [name for name in names if name.startswith(incomplete)]


def complete_runs(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """`last` and the run ids that begin with `incomplete`, newest first, in the default journal."""
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
    """`--table T`: names and patterns, as `Selection` understands them."""
    return click.option(
        "--table",
        "tables",
        metavar="T",
        multiple=True,
        help="Only tables that match, such as orders, sales.orders or 'sales.*'; '!tmp_*' excludes "
        "(repeatable).",
    )(function)


def schema_option(function: _F) -> _F:
    """`--schema S`: names and patterns, as for `--table`."""
    return click.option(
        "--schema",
        "schemas",
        metavar="S",
        multiple=True,
        help="Only schemas that match; '!tmp_*' excludes (repeatable).",
    )(function)


def catalog_option(function: _F) -> _F:
    """`--catalog C`."""
    return click.option(
        "--catalog",
        metavar="C",
        help="The catalog, where a server has several: a database of PostgreSQL, Redshift, "
        "Snowflake or SQL Server, a project of BigQuery, a catalog of Databricks or Trino.",
    )(function)


def yes_option(function: _F) -> _F:
    """`--yes`."""
    return click.option(
        "--yes",
        is_flag=True,
        help="Agree to the cost without being asked, also to what the database bills for reading.",
    )(function)


def profile_option(function: _F) -> _F:
    """`--profile NAME`."""
    return _profile_option(function, "The LLM profile (default: the active one).")


def profile_or_preset_option(function: _F) -> _F:
    """`--profile NAME`, as `find_profile` understands it."""
    return _profile_option(
        function,
        "The LLM profile (default: the active one), or a preset such as kimi-deep, at the active "
        "profile's endpoint and with its key.",
    )


def _profile_option(function: _F, text: str) -> _F:
    return click.option("--profile", metavar="NAME", shell_complete=complete_profiles, help=text)(
        function
    )


def database_options(function: _F) -> _F:
    """Which database and tables, and how files are read; `chosen` evaluates these options."""
    for decorate in (
        click.option(
            "--csv-header",
            type=click.Choice(["yes", "no"]),
            help="Whether CSV and TSV files have a header line (default: guess).",
        ),
        click.option(
            "--csv-separator",
            metavar="C",
            callback=_separator,
            help="The separator in CSV and TSV files, such as `;` or `tab` (default: guess).",
        ),
        click.option(
            "--csv-encoding",
            metavar="E",
            callback=_encoding,
            help="The encoding of CSV and TSV files, such as cp1252 or gb18030 (default: guess).",
        ),
        click.option(
            "--with-extensions",
            is_flag=True,
            help="Include tables that belong to PostgreSQL extensions.",
        ),
        yes_option,
        table_option,
        schema_option,
        catalog_option,
        click.option("--db-profile", metavar="NAME", help="One of AMX's database profiles."),
        click.argument("urls", metavar="[URL]", nargs=-1, shell_complete=complete_paths),
    ):
        function = decorate(function)
    return function


def _separator(_: click.Context, __: click.Parameter, value: str | None) -> str:
    words = {"tab": "\t", "\\t": "\t"}
    separator = words.get(value or "", value or "")
    if len(separator.encode()) > _LONGEST_SEPARATOR or set(separator) & set('"\r\n'):
        raise click.BadParameter(f"{value!r} is not a valid separator, such as `;`, `|` or `tab`")
    return separator


_LONGEST_SEPARATOR = 4  # DuckDB's


def _encoding(_: click.Context, __: click.Parameter, value: str | None) -> str:
    if not value:
        return ""
    try:
        "".encode(value)  # also refuses codecs that do not encode text, such as base64
        return codecs.lookup(value).name
    except (LookupError, ValueError):
        raise click.BadParameter(
            f"{value!r} is not a valid encoding, such as utf-8, cp1252, gb18030 or utf-16"
        ) from None


def chosen(options: dict[str, Any]) -> "tuple[Selection, Csv]":
    """Which tables `database_options` select, and how CSV and TSV files are read."""
    from amx_kimi.databases.base import Csv, Selection

    selection = Selection(options["schemas"], options["tables"], options["with_extensions"])
    encoding, separator = options["csv_encoding"], options["csv_separator"]
    return selection, Csv(encoding, separator, options["csv_header"] or "")


def prompt_options(function: _F) -> _F:
    """The options that decide which texts a run's prompts contain."""
    for decorate in (
        click.option(
            "--profile-data",
            is_flag=True,
            help="Read some rows of tables for which the server has no statistics.",
        ),
        click.option("--names-only", is_flag=True, help="Send only names, types and keys."),
        click.option(
            "--no-samples", is_flag=True, help="Send no values, ranges or shapes of values."
        ),
        click.option(
            "--batch-size", type=click.IntRange(1, 500), metavar="N", help="Columns per request."
        ),
        click.option(
            "--context",
            metavar="FILE",
            multiple=True,
            shell_complete=complete_paths,
            help="A glossary, house rules, or a dbt manifest.json (repeatable).",
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
        ("--tpm", "N", "Maximum tokens per minute, charged up front."),
        ("--rpm", "N", "Maximum requests per minute."),
        ("--concurrency", "N", "Maximum concurrent requests."),
        ("--tier", "T", "The account's tier, as a hint for its limits."),
    ):
        least = 0 if name == "--tier" else 1
        option = click.option(name, type=click.IntRange(least), metavar=metavar, help=text)
        function = option(function)
    return function


def choice_options(function: _F) -> _F:
    """Which suggestions are published: `--unreviewed`, `--min-confidence`."""
    for decorate in (
        click.option(
            "--min-confidence",
            type=click.Choice(["high", "medium", "low"]),
            help="With --unreviewed: only those at or above this confidence.",
        ),
        click.option(
            "--unreviewed",
            is_flag=True,
            help="Also undecided items, with their best alternative.",
        ),
    ):
        function = decorate(function)
    return function


def store_option(function: _F) -> _F:
    """`--store URL`."""
    return click.option(
        "--store",
        metavar="URL",
        shell_complete=complete_paths,
        help="The journal: a SQLite or PostgreSQL URL, or a SQLite file (default: kimi.db in AMX's "
        "folder).",
    )(function)
