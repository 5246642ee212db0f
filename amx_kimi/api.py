"""Describing a database from Python: what `amx-kimi run` does, as a function."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Literal, get_args

from sqlalchemy import URL

from amx_kimi.annotate.asking import Progress
from amx_kimi.annotate.context import load_context
from amx_kimi.annotate.job import Job, wanted_by
from amx_kimi.annotate.opening import Target
from amx_kimi.annotate.run import RunSpec, Spend, Watch, execute
from amx_kimi.arguments import (
    flag,
    function,
    one_of,
    optional_text,
    refused,
    text,
    texts,
    whole,
)
from amx_kimi.client.budget import cap_of
from amx_kimi.config import Profile, direct_key, given_profile, journal_path
from amx_kimi.databases.base import Reading, Selection
from amx_kimi.databases.opening import files_or_url, in_catalog
from amx_kimi.errors import SourceError
from amx_kimi.journal import Journal, Run
from amx_kimi.settings import Settings

__all__ = ["describe"]

_Changes = Literal["", "schema", "data"]
_CHANGES: tuple[_Changes, ...] = get_args(_Changes)


def describe(
    database: str | Path | URL | Sequence[str | Path],
    *,
    profile: Profile | str | None = None,
    model: str = "",
    api_key: str = "",
    base_url: str = "",
    journal: Journal | str | Path | None = None,
    catalog: str = "",
    schemas: Sequence[str] = (),
    tables: Sequence[str] = (),
    language: str = "",
    context: str | Path | Sequence[str | Path] = (),
    all_columns: bool = False,
    only_changed: _Changes = "",
    names_only: bool = False,
    samples: bool = True,
    limit: int | None = None,
    max_cost: Decimal | float | None = None,
    read_cost: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Run:
    """Describe the columns of a database that have no comment yet, as `amx-kimi run` does.

    The descriptions go to the journal: `Journal().suggestions(run.id)` reads them. Nothing is asked
    on a terminal; without `max_cost`, nothing limits the cost.

    Args:
        database: a SQLAlchemy URL, the path of a SQLite or DuckDB file, or data files.
        profile: an LLM profile, or its name in AMX's `config.yml` (default: the active one).
        model: a model's id in place of the profile's; with it alone, no profile is needed.
        api_key: in place of the profile's own. Without one: AMX_LLM_API_KEY.
        base_url: an API's address in place of the profile's.
        journal: where results are kept (default: kimi.db in AMX's folder).
        catalog: the catalog to read, where a server has several.
        schemas: names or patterns, or one of them; all when left out.
        tables: names or patterns of `table` or `schema.table`, or one; all when left out.
        language: of the descriptions, such as "en" or "de" (default: the profile's).
        context: a path, or paths, of a glossary, house rules, or a dbt manifest.json.
        all_columns: also those that have a comment.
        only_changed: only what is new or has another type since earlier runs ("schema"), or also
            columns whose data changed ("data").
        names_only: send names, types and keys, and nothing else.
        samples: False sends no values, ranges or shapes of values.
        limit: describe at most this many columns.
        max_cost: stop before more than this is spent, in the endpoint's currency.
        read_cost: True agrees to what the database bills for reading it, such as Snowflake.
        on_progress: called with the run's progress at the start and after each answer; in the
            calling thread, or in another one if that runs an event loop, as in a notebook.

    Returns:
        The run as the journal has it; `run.status` is "complete".

    Raises:
        ConfigError: an argument is not usable, which is found before anything is created.
        KimiError: nothing was asked, or something stopped the run early. What was described until
            then is kept; the same call again continues with the rest.
        KeyboardInterrupt: likewise.
    """
    settings = Settings.from_environment()
    who = given_profile(profile, settings, model=model, base_url=base_url)
    job = Job(
        profile=who,
        selection=Selection(texts("schemas", schemas), texts("tables", tables)),
        wanted=wanted_by(who, optional_text("language", language)),
        context=load_context(texts("context", context, paths=True)),
        all_columns=flag("all_columns", all_columns),
        only_changed=one_of("only_changed", only_changed, _CHANGES),
        names_only=flag("names_only", names_only),
        samples=flag("samples", samples),
        limit=None if limit is None else whole("limit", limit),
    )
    target = Target(
        _meant(database, optional_text("catalog", catalog)),
        reading=Reading(agreed=flag("read_cost", read_cost)),
    )
    spend = Spend(cap_of(max_cost))
    watch = Watch(progress=function("on_progress", on_progress) or Watch().progress)
    is_direct = optional_text("api_key", api_key) or profile is None
    key = direct_key(who, api_key, settings) if is_direct else None
    with _opened(journal, settings) as kept:
        return _run(RunSpec(job, target, kept, settings, spend=spend, key=key), watch)


def _meant(database: object, catalog: str) -> str | URL:
    if isinstance(database, URL):
        meant: str | URL = database
    else:
        names = texts("database", database, paths=True, error=SourceError)
        if not names:
            raise refused("database names nothing to describe", "database", SourceError)
        meant = files_or_url(names)
    return in_catalog(meant, catalog) if catalog else meant


def _run(spec: RunSpec, watch: Watch) -> Run:
    result = execute(spec, watch)
    if result.interrupted:
        raise KeyboardInterrupt
    if result.stopped:
        raise result.stopped
    return spec.journal.run(result.run)


@contextmanager
def _opened(journal: Journal | str | Path | None, settings: Settings) -> Iterator[Journal]:
    """The caller's journal, which stays open, or one that is opened here."""
    if isinstance(journal, Journal):
        yield journal
        return
    if journal is None:
        journal = journal_path(settings.config_dir)
    elif not isinstance(journal, Path):
        journal = text("journal", journal)
    with Journal(journal) as opened:
        yield opened
