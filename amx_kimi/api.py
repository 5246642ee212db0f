"""Describing a database from Python: what `amx-kimi run` does, as a function."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Literal

from sqlalchemy import URL

from amx_kimi.annotate.asking import Progress
from amx_kimi.annotate.context import load_context
from amx_kimi.annotate.job import Job, wanted_by
from amx_kimi.annotate.opening import Target
from amx_kimi.annotate.run import RunSpec, Spend, Watch, execute
from amx_kimi.client.budget import cap_of
from amx_kimi.config import Profile, direct_key, given_profile, journal_path
from amx_kimi.databases.base import Selection
from amx_kimi.databases.opening import files_or_url
from amx_kimi.journal import Journal, Run
from amx_kimi.settings import Settings

__all__ = ["describe"]


def describe(
    database: str | URL | Sequence[str],
    *,
    profile: Profile | str | None = None,
    model: str = "",
    api_key: str = "",
    base_url: str = "",
    journal: Journal | str | Path | None = None,
    schemas: Sequence[str] = (),
    tables: Sequence[str] = (),
    language: str = "",
    context: Sequence[str] = (),
    all_columns: bool = False,
    only_changed: Literal["", "schema", "data"] = "",
    names_only: bool = False,
    samples: bool = True,
    limit: int | None = None,
    max_cost: Decimal | float | None = None,
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
        schemas: names or patterns; all when left out.
        tables: names or patterns of `table` or `schema.table`; all when left out.
        language: of the descriptions, such as "en" or "de" (default: the profile's).
        context: paths of a glossary, house rules, or a dbt manifest.json.
        all_columns: also those that have a comment.
        only_changed: only what is new or has another type since earlier runs ("schema"), or also
            columns whose data changed ("data").
        names_only: send names, types and keys, and nothing else.
        samples: False sends no values, ranges or shapes of values.
        limit: describe at most this many columns.
        max_cost: stop before more than this is spent, in the endpoint's currency.
        on_progress: called with the run's progress at the start and after each answer; in the
            calling thread, or in another one if that runs an event loop, as in a notebook.

    Returns:
        The run as the journal has it; `run.status` is "complete".

    Raises:
        KimiError: nothing was asked, or something stopped the run early. What was described until
            then is kept; the same call again continues with the rest.
        KeyboardInterrupt: likewise.
    """
    settings = Settings.from_environment()
    who = given_profile(profile, settings, model=model, base_url=base_url)
    job = Job(
        profile=who,
        selection=Selection(tuple(schemas), tuple(tables)),
        wanted=wanted_by(who, language),
        context=load_context(tuple(context)),
        all_columns=all_columns,
        only_changed=only_changed,
        names_only=names_only,
        samples=samples,
        limit=limit,
    )
    texts = [database] if isinstance(database, str) else database
    target = Target(texts if isinstance(texts, URL) else files_or_url(list(texts)))
    is_direct = api_key or profile is None
    with _opened(journal, settings) as kept:
        spec = RunSpec(
            job,
            target,
            kept,
            settings,
            spend=Spend(cap_of(max_cost)),
            key=direct_key(who, api_key, settings) if is_direct else None,
        )
        return _run(spec, on_progress)


def _run(spec: RunSpec, on_progress: Callable[[Progress], None] | None) -> Run:
    result = execute(spec, Watch(progress=on_progress) if on_progress else Watch())
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
    with Journal(journal or journal_path(settings.config_dir)) as opened:
        yield opened
