"""Opens a run: its database, its row in the journal, and the claim on a run to resume."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from urllib.parse import quote

import anyio
from sqlalchemy import URL, Connection

from amx_kimi.annotate.context import Context, load_context
from amx_kimi.annotate.inventory import take_inventory
from amx_kimi.annotate.job import Job, OpenRun
from amx_kimi.annotate.prompt import Wanted
from amx_kimi.annotate.reader import Reader
from amx_kimi.config import Profile
from amx_kimi.databases.base import Csv, Reading, Selection, Source
from amx_kimi.databases.opening import open_source
from amx_kimi.errors import ConfigError, SourceError
from amx_kimi.journal import Journal, Run, claim_run, items, runs
from amx_kimi.journal.keep import at_work
from amx_kimi.journal.lease import Claim

__all__ = ["Target", "begin_run", "job_of", "take_over", "temporary_run"]


@dataclass(frozen=True)
class Target:
    """The database: what to open (may contain a password), and how the journal names it: AMX's
    profile, and the catalog if the user chose another one."""

    url: str | URL
    db_profile: str = ""
    catalog: str = ""
    reading: Reading = field(default_factory=Reading)

    def open(self, job: Job) -> Source:
        """Open it, and read only what the database profile and the job allow.

        Raises:
            SourceError: it cannot be opened.
            ConfigError: the job reads rows of tables, but the database profile forbids that.
        """
        if job.profile_data and not self.reading.samples:
            raise ConfigError(
                f"The database profile {self.db_profile!r} has `profiling_mode: metadata`",
                remedy="Remove --profile-data, or change the mode in AMX.",
            )
        return open_source(self.url, replace(self.reading, data=job.profile_data, csv=job.csv))

    def stored(self, reopen: str) -> str:
        """What the journal keeps, without a secret: `db-profile:NAME`, `db-profile/CATALOG:NAME`
        or a URL."""
        if not self.db_profile:
            return reopen
        catalog = "/" + quote(self.catalog, safe="") if self.catalog else ""
        return f"db-profile{catalog}:{self.db_profile}"


def begin_run(connection: Connection, job: Job, target: Target, reader: Reader) -> str:
    """Add a row for a new run; returns its id."""
    facts = job.profile.facts()
    return runs.begin_run(
        connection,
        source=target.stored(reader.source.reopen),
        database=reader.source.identity,
        profile=job.profile.name,
        model=job.profile.model,
        endpoint=job.profile.base_url,
        currency=facts.currency,
        options=json.dumps(_options(job)),
    )


async def take_over(resume: Run, journal: Journal, reader: Reader) -> Claim:
    """Claim a run, to resume it; what failed in it is asked again.

    Raises:
        SourceError: the open database is not that run's.
        JournalError: another process is still working on it.
    """
    if reader.source.identity != resume.database:
        raise SourceError(
            f"Run {resume.id} describes {resume.database}, not {reader.source.identity}"
        )
    claim = await journal.write(claim_run, resume.id)
    await journal.write(items.reopen_failed, resume.id)
    return claim


@asynccontextmanager
async def temporary_run(
    job: Job, target: Target, journal: Journal, reader: Reader
) -> AsyncIterator[OpenRun]:
    """A run with its inventory, deleted at the end; for estimates.

    Raises:
        KimiError: the database or the journal is unusable, or there is nothing to describe.
    """
    run = await journal.write(begin_run, job, target, reader)
    try:
        with at_work(journal, Claim(run)):
            opened = OpenRun(run, job, journal, reader)
            await take_inventory(opened)
            yield opened
    finally:
        with anyio.CancelScope(shield=True):
            await journal.write(runs.forget_run, run)


def job_of(run: Run, profile: Profile) -> Job:
    """The job with which a stored run was started.

    Raises:
        ConfigError: one of its context files is missing or has changed.
    """
    options = json.loads(run.options)
    if "selection" not in options:
        raise ConfigError(f"Run {run.id} was imported from AMX, so it cannot be resumed")
    selection, wanted = options.pop("selection"), options.pop("wanted")
    files = [tuple(file) for file in options.pop("context", ())]
    context = load_context([path for path, _ in files])
    if context.files != tuple(files):
        raise ConfigError(
            "A context file has changed since the run was started",
            remedy="Start a new run; columns that the change does not affect are not asked again.",
        )
    return Job(
        profile=profile,
        context=context,
        selection=Selection(
            tuple(selection["schemas"]),
            tuple(selection["tables"]),
            selection.get("extensions", True),  # older runs, without this option, included them
        ),
        csv=Csv(**options.pop("csv", {})),
        wanted=Wanted(**wanted),
        **options,
    )


def _options(job: Job) -> dict[str, Any]:
    plain = replace(job, context=Context())
    options = {key: value for key, value in asdict(plain).items() if key != "profile"}
    return {**options, "context": job.context.files}
