"""From a job and a database to a finished (or resumable) run: opens what is needed, closes it, and
notes in the journal how it ended."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import anyio
from sqlalchemy import URL

from amx_kimi.annotate.context import Context, load_context
from amx_kimi.annotate.inventory import take_inventory
from amx_kimi.annotate.job import Job
from amx_kimi.annotate.prompt import Wanted
from amx_kimi.annotate.reader import Reader
from amx_kimi.annotate.run import Estimate, Progress, annotate, estimate, packer_of
from amx_kimi.annotate.sources import Csv, Reading, Selection, Source, open_source
from amx_kimi.annotate.spend import Spend, forecast
from amx_kimi.annotate.terminate import run_terminable
from amx_kimi.client import Budget, KimiClient
from amx_kimi.config import LearnedStore, Profile
from amx_kimi.errors import BudgetError, ConfigError, KimiError, SourceError
from amx_kimi.journal import Journal, Run, RunRecorder, Totals, claim_run, items, runs
from amx_kimi.journal.again import adopt
from amx_kimi.journal.keep import at_work
from amx_kimi.journal.lease import Claim
from amx_kimi.log import get_logger
from amx_kimi.policy import plan
from amx_kimi.settings import Settings
from amx_kimi.types import Ask

__all__ = ["Result", "Target", "begin", "dry_run", "execute", "job_of"]


@dataclass(frozen=True)
class Target:
    """The database: what to open (may carry a password), and how the journal names it."""

    url: str | URL
    db_profile: str = ""
    reading: Reading = Reading()

    def open(self, job: Job) -> Source:
        """Open it, for as deep a look as the database profile and the job allow.

        Raises:
            SourceError: it cannot be opened.
            ConfigError: the job looks into tables, and the database profile forbids that.
        """
        if job.profile_data and not self.reading.samples:
            raise ConfigError(
                f"The database profile {self.db_profile!r} says `profiling_mode: metadata`",
                remedy="Leave --profile-data out, or change that in AMX.",
            )
        return open_source(self.url, replace(self.reading, data=job.profile_data, csv=job.csv))

    def stored(self, reopen: str) -> str:
        """What the journal keeps, without a secret: `db-profile:NAME` or a URL."""
        return f"db-profile:{self.db_profile}" if self.db_profile else reopen


@dataclass(frozen=True)
class Result:
    """How a run ended: `status` as the journal keeps it (complete, stopped, interrupted), `stopped`
    the error that ended it early, if one did."""

    run: str
    status: str
    totals: Totals
    currency: str | None
    seconds: float
    stopped: KimiError | None
    notes: tuple[str, ...] = ()
    interrupted: bool = False
    resumed: bool = False
    why_failed: str | None = None


def execute(
    job: Job,
    target: Target,
    journal: Journal,
    settings: Settings,
    notify: Callable[[Progress], None],
    *,
    resume: Run | None = None,
    started: Callable[[str], None],
    spend: Spend | None = None,
) -> Result:
    """Do a run, or the rest of one. `started` hears the run's id before anything is asked.

    Raises:
        KimiError: nothing was asked: the key, the database or the journal is unusable.
    """
    begun = time.monotonic()
    state = _State(resumed=resume is not None)
    try:
        stopped = run_terminable(
            *(_execute, job, target, journal, settings, notify, state, started, resume),
            spend or Spend(),
        )
    except KeyboardInterrupt:
        if state.run is None:
            raise
        return _ended(journal, state, job, begun, None, interrupted=True)
    except BaseException as error:
        if state.run is not None:
            said = str(error) or repr(error)
            journal.write_now(runs.set_status, state.run, "stopped", said, claim=state.claim)
        raise
    assert state.run is not None
    return _ended(journal, state, job, begun, stopped)


def dry_run(job: Job, target: Target, journal: Journal, settings: Settings) -> Estimate:
    """What `execute` would ask; spends nothing and leaves no run behind.

    Raises:
        KimiError: the database or the journal is unusable.
    """

    async def look() -> Estimate:
        async with Reader(lambda: target.open(job)) as reader:
            run = await journal.write(begin, job, target, reader)
            try:
                profile = job.profile
                learnt = LearnedStore(settings.config_dir).quirks(profile.base_url, profile.model)
                facts = profile.facts(learnt)
                with at_work(journal, Claim(run)):
                    await take_inventory(reader, journal, run, job)
                    return await estimate(reader, journal, run, job, facts, settings)
            finally:
                with anyio.CancelScope(shield=True):
                    await journal.write(runs.forget_run, run)

    return anyio.run(look)


def job_of(run: Run, profile: Profile) -> Job:
    """The job that a stored run was begun with.

    Raises:
        ConfigError: one of its context files is gone or has changed.
    """
    options = json.loads(run.options)
    if "selection" not in options:
        raise ConfigError(f"The run {run.id} was imported from AMX: there is nothing to resume")
    selection, wanted = options.pop("selection"), options.pop("wanted")
    files = [tuple(file) for file in options.pop("context", ())]
    context = load_context([path for path, _ in files])
    if context.files != tuple(files):
        raise ConfigError(
            "A context file has changed since the run was begun",
            remedy="Begin a new run: what is not touched by the change is not asked again.",
        )
    return Job(
        profile=profile,
        context=context,
        selection=Selection(
            tuple(selection["schemas"]),
            tuple(selection["tables"]),
            selection.get("extensions", True),  # runs before there was a choice took everything
        ),
        csv=Csv(**options.pop("csv", {})),
        wanted=Wanted(**wanted),
        **options,
    )


@dataclass
class _State:
    claim: Claim | None = None
    run: str | None = None
    resumed: bool = False
    notes: list[str] = field(default_factory=list)


async def _execute(
    job: Job,
    target: Target,
    journal: Journal,
    settings: Settings,
    notify: Callable[[Progress], None],
    state: _State,
    started: Callable[[str], None],
    resume: Run | None,
    spend: Spend,
) -> KimiError | None:
    check_affordable(job, settings, spend)
    async with Reader(lambda: target.open(job)) as reader:
        state.notes = reader.source.notes
        # A missing key is said before a run is begun.
        client = KimiClient(job.profile, settings, budget=Budget(spend.cap))
        async with client:
            if resume is None:
                with anyio.CancelScope(shield=True):  # no run is begun that nobody names
                    claim = Claim(await journal.write(begin, job, target, reader))
                    state.claim, state.run = claim, claim.run
            else:
                claim = await _take_over(resume, journal, reader, client)
                state.claim, state.run = claim, claim.run
            run = claim.run
            client.record_with(RunRecorder(journal, run), run)
            with at_work(journal, claim):
                if resume is None:
                    await _first_inventory(reader, journal, run, job, state)
                elif not resume.inventoried:
                    await take_inventory(reader, journal, run, job)
                await _agree(spend, reader, journal, run, job, client, state, new=resume is None)
                started(run)
                try:
                    stopped = await annotate(reader, journal, run, job, client, notify)
                finally:
                    if job.again_of:
                        with anyio.CancelScope(shield=True):
                            await journal.write(adopt, job.again_of, run)
            if client.budget.held:
                state.notes.append("Near the cap fewer requests were sent at once")
            return stopped


def check_affordable(job: Job, settings: Settings, spend: Spend) -> None:
    """Refuse what can never be kept to, before anything is begun.

    Raises:
        ConfigError: a cap without a price, or fewer tokens a minute than one request reserves.
    """
    facts = job.profile.facts()
    if spend.cap is not None and facts.prices is None:
        raise ConfigError(
            f"A cost cap is set, but the price of this model ({facts.model.id}) is not known at "
            "this endpoint",
            remedy="Give the profile custom_input_cost_per_mtok and custom_output_cost_per_mtok.",
        )
    tpm, budget = job.profile.overlay.tpm, plan(job.profile, facts, settings, Ask((), 0)).budget
    if tpm is not None and tpm < budget:
        raise ConfigError(
            f"tpm is {tpm:,}, and one request reserves {budget:,} tokens for its answer alone",
            remedy="Raise it (--tpm, kimi.yml), or lower the profile's max_tokens.",
        )


async def _take_over(resume: Run, journal: Journal, reader: Reader, client: KimiClient) -> Claim:
    """Claim a run to go on with it."""
    if reader.source.identity != resume.database:
        raise SourceError(
            f"The run {resume.id} is of {resume.database}, not of {reader.source.identity}"
        )
    claim = await journal.write(claim_run, resume.id)
    await journal.write(items.reopen_failed, resume.id)
    client.budget.spent = journal.read(runs.totals, resume.id).cost or client.budget.spent
    return claim


async def _agree(
    spend: Spend,
    reader: Reader,
    journal: Journal,
    run: str,
    job: Job,
    client: KimiClient,
    state: _State,
    *,
    new: bool,
) -> None:
    """Let somebody agree to the estimate; a new run that nobody wants is forgotten."""
    packer = packer_of(job, client.facts, client.settings)
    rough = forecast(packer, journal.read(items.count_items, run), client.facts.prices)
    if spend.agree is None or rough.most is None or rough.most <= spend.free:
        return
    try:
        # The dry run's own figure: statistics are looked at, which takes longer.
        found = await estimate(reader, journal, run, job, client.facts, client.settings)
        if found.cost is None or found.cost <= spend.free:
            return
        # In this thread, which is the one that Ctrl-C interrupts; nothing else is under way yet.
        if spend.agree(found):
            return
        raise BudgetError("Not begun: nothing was sent")
    except BaseException:
        if new:
            with anyio.CancelScope(shield=True):
                await journal.write(runs.forget_run, run)
            state.run = None
        raise


async def _first_inventory(
    reader: Reader, journal: Journal, run: str, job: Job, state: _State
) -> None:
    try:
        await take_inventory(reader, journal, run, job)
    except SourceError:  # a typo, an empty database: no run that anybody would resume
        await journal.write(runs.forget_run, run)
        state.run = None
        raise


def begin(connection: Any, job: Job, target: Target, reader: Reader) -> str:
    """A row for a run that begins; returns its id."""
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


def _options(job: Job) -> dict[str, Any]:
    plain = replace(job, context=Context())
    options = {key: value for key, value in asdict(plain).items() if key != "profile"}
    return {**options, "context": job.context.files}


def _ended(
    journal: Journal,
    state: _State,
    job: Job,
    begun: float,
    stopped: KimiError | None,
    *,
    interrupted: bool = False,
) -> Result:
    run = state.run
    assert run is not None
    status = "interrupted" if interrupted else "stopped" if stopped else "complete"
    said = str(stopped) if stopped else None
    journal.write_now(runs.set_status, run, status, said, claim=state.claim)
    result = Result(
        run=run,
        status=status,
        totals=journal.read(runs.totals, run),
        currency=job.profile.facts().currency,
        seconds=time.monotonic() - begun,
        stopped=stopped,
        notes=tuple(state.notes),
        interrupted=interrupted,
        resumed=state.resumed,
        why_failed=journal.read(items.commonest_error, run),
    )
    _log_end(result, status)
    return result


def _log_end(result: Result, status: str) -> None:
    totals = result.totals
    get_logger().info(
        "run.ended",
        run=result.run,
        status=status,
        error=type(result.stopped).__name__ if result.stopped else None,
        columns=totals.columns,
        described=totals.described,
        failed=totals.failed,
        requests=totals.requests,
        retries=totals.retries,
        cost=str(totals.cost) if totals.cost is not None else None,
        currency=result.currency,
        seconds=round(result.seconds, 3),
    )
