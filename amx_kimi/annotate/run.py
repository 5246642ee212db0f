"""The steps of a run, in order: open it, take the inventory, let somebody agree to the cost, ask
about everything, and note in the journal how it ended.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

import anyio

from amx_kimi.annotate.asking import Progress, ask_pending
from amx_kimi.annotate.ending import Result, log_end
from amx_kimi.annotate.estimate import Estimate, estimate, estimate_items
from amx_kimi.annotate.inventory import take_inventory
from amx_kimi.annotate.job import Job, OpenRun
from amx_kimi.annotate.opening import Target, begin_run, take_over, temporary_run
from amx_kimi.annotate.reader import Reader
from amx_kimi.annotate.terminate import run_terminable
from amx_kimi.client import Budget, KimiClient
from amx_kimi.config import FoundKey, LearnedStore
from amx_kimi.errors import BudgetError, ConfigError, KimiError, SourceError
from amx_kimi.journal import Journal, Run, RunRecorder, items, runs
from amx_kimi.journal.again import adopt
from amx_kimi.journal.keep import at_work
from amx_kimi.journal.lease import Claim
from amx_kimi.policy import plan
from amx_kimi.settings import Settings
from amx_kimi.types import Ask

__all__ = ["RunSpec", "Spend", "Watch", "dry_run", "execute"]


@dataclass(frozen=True)
class Spend:
    """What a run may cost, in the endpoint's currency.

    `cap` is never exceeded. If the estimate is above `free`, `agree` is called before the first
    request; it may raise instead of returning False.
    """

    cap: Decimal | None = None
    agree: Callable[[Estimate], bool] | None = None
    free: Decimal = Decimal(0)


@dataclass(frozen=True)
class RunSpec:
    """Everything a run needs: what to describe, in which database, where to keep results, and what
    may be spent; the run to resume, if it is not a new one; and a key in place of the profile's."""

    job: Job
    target: Target
    journal: Journal
    settings: Settings
    spend: Spend = field(default_factory=Spend)
    resume: Run | None = None
    key: FoundKey | None = None


@dataclass(frozen=True)
class Watch:
    """Callbacks: `started` gets the run's id before anything is asked, `progress` each step."""

    started: Callable[[str], None] = lambda _: None
    progress: Callable[[Progress], None] = lambda _: None


def execute(spec: RunSpec, watch: Watch | None = None) -> Result:
    """Execute a run, or the rest of a resumed one.

    Raises:
        KimiError: nothing was asked: the key, the database or the journal is unusable.
        BaseException: a callback of `watch` raised it; what was answered is kept.
    """
    life = _Life(time.monotonic())
    try:
        claim, stopped = run_terminable(_execute, spec, watch or Watch(), life)
    except KeyboardInterrupt:
        if life.claim is None:
            raise
        return _end(spec, life, life.claim, "interrupted")
    except BaseException as error:
        if life.claim is not None:
            said = str(error) or repr(error)
            _note_end(spec, life.claim, "stopped", said)
        raise
    if stopped is None or isinstance(stopped, KimiError):
        return _end(spec, life, claim, "stopped" if stopped else "complete", stopped)
    if isinstance(stopped, KeyboardInterrupt):
        return _end(spec, life, claim, "interrupted")
    _note_end(spec, claim, "stopped", str(stopped) or repr(stopped))
    raise stopped


def dry_run(spec: RunSpec) -> Estimate:
    """Estimate what `execute` would ask; spends nothing and leaves no run behind.

    Raises:
        KimiError: the database or the journal is unusable.
    """

    async def look() -> Estimate:
        job = spec.job
        learned = LearnedStore(spec.settings.config_dir)
        facts = job.profile.facts(learned.quirks(job.profile.base_url, job.profile.model))
        async with (
            Reader(lambda: spec.target.open(job)) as reader,
            temporary_run(job, spec.target, spec.journal, reader) as run,
        ):
            return await estimate(run, facts, spec.settings)

    return anyio.run(look)


@dataclass
class _Life:
    """What is known of a run so far; `claim` is None while there is no run to resume."""

    begun: float
    claim: Claim | None = None
    notes: list[str] = field(default_factory=list)


async def _execute(spec: RunSpec, watch: Watch, life: _Life) -> tuple[Claim, BaseException | None]:
    check_affordable(spec)
    job, journal = spec.job, spec.journal
    async with Reader(lambda: spec.target.open(job)) as reader:
        life.notes = reader.source.notes
        # Raises for a missing key before a run is started.
        budget = Budget(spec.spend.cap, currency=job.profile.facts().currency)
        client = KimiClient(job.profile, spec.settings, key=spec.key, budget=budget)
        async with client:
            life.claim = claim = await _claim(spec, reader, client)
            run = OpenRun(claim.run, job, journal, reader)
            client.record_with(RunRecorder(journal, run.id), run.id)
            with at_work(journal, claim):
                await _prepare(spec, run, client, life)
                watch.started(run.id)
                stopped = await _ask(run, client, watch)
            if client.budget.held:
                life.notes.append("Near the cap, concurrency was reduced")
            return claim, stopped


def check_affordable(spec: RunSpec) -> None:
    """Refuse limits that cannot be kept, before anything is started.

    Raises:
        ConfigError: a cap without a price, or a TPM limit below what one request reserves.
    """
    profile = spec.job.profile
    facts = profile.facts()
    if spec.spend.cap is not None and facts.prices is None:
        raise ConfigError(
            f"A cost cap is set, but the price of {facts.model.id} at this endpoint is unknown",
            remedy="Set custom_input_cost_per_mtok and custom_output_cost_per_mtok in the profile.",
        )
    tpm = profile.overlay.tpm
    budget = plan(profile, facts, spec.settings, Ask((), 0)).budget
    if tpm is not None and tpm < budget:
        raise ConfigError(
            f"tpm is {tpm:,}, but one request reserves {budget:,} tokens for its answer alone",
            remedy="Raise tpm (--tpm or kimi.yml), or lower the profile's max_tokens.",
        )


async def _claim(spec: RunSpec, reader: Reader, client: KimiClient) -> Claim:
    """Claim a new run, or the one to resume, and take over what it has spent so far."""
    if spec.resume is not None:
        claim = await take_over(spec.resume, spec.journal, reader)
        spent = spec.journal.read(runs.totals, claim.run).cost
        client.budget.spent = spent or client.budget.spent
        return claim
    with anyio.CancelScope(shield=True):  # else the row could exist without its id being known here
        run = await spec.journal.write(begin_run, spec.job, spec.target, reader)
    return Claim(run)


async def _prepare(spec: RunSpec, run: OpenRun, client: KimiClient, life: _Life) -> None:
    """Take the inventory, and let somebody agree to the estimate.

    A new run is deleted if nothing comes of it: the database is empty, a name is mistyped, or the
    answer is no.
    """
    try:
        if spec.resume is None or not spec.resume.inventoried:
            await take_inventory(run)
    except SourceError:
        await _forget(spec, run, life)
        raise
    try:
        await _agree(spec.spend, run, client)
    except BaseException:  # Ctrl-C at the question means no
        await _forget(spec, run, life)
        raise


async def _forget(spec: RunSpec, run: OpenRun, life: _Life) -> None:
    if spec.resume is not None:
        return
    with anyio.CancelScope(shield=True):
        await spec.journal.write(runs.forget_run, run.id)
    life.claim = None


async def _agree(spend: Spend, run: OpenRun, client: KimiClient) -> None:
    """Let somebody agree to the estimate.

    Raises:
        BudgetError: nobody did.
    """
    if spend.agree is None:
        return
    # Reading statistics takes a while, so it is skipped if even the rough estimate is small.
    count = run.journal.read(items.count_items, run.id)
    rough = estimate_items(count, run.job, client.facts, client.settings)
    if rough.most is None or rough.most <= spend.free:
        return
    found = await estimate(run, client.facts, client.settings)
    if found.cost is None or found.cost <= spend.free:
        return
    # Called in this thread, which Ctrl-C interrupts; nothing else is running yet.
    if not spend.agree(found):
        raise BudgetError("Not started: nothing was sent")


async def _ask(run: OpenRun, client: KimiClient, watch: Watch) -> BaseException | None:
    try:
        return await ask_pending(run, client, watch.progress)
    finally:
        if run.job.again_of:
            with anyio.CancelScope(shield=True):
                await run.journal.write(adopt, run.job.again_of, run.id)


def _end(
    spec: RunSpec, life: _Life, claim: Claim, status: str, stopped: KimiError | None = None
) -> Result:
    """Note in the journal how the run ended, and return its result."""
    _note_end(spec, claim, status, str(stopped) if stopped else None)
    result = Result(
        run=claim.run,
        status=status,
        totals=spec.journal.read(runs.totals, claim.run),
        currency=spec.job.profile.facts().currency,
        seconds=time.monotonic() - life.begun,
        stopped=stopped,
        notes=tuple(life.notes),
        interrupted=status == "interrupted",
        resumed=spec.resume is not None,
        why_failed=spec.journal.read(items.commonest_error, claim.run),
    )
    log_end(result)
    return result


def _note_end(spec: RunSpec, claim: Claim, status: str, said: str | None) -> None:
    spec.journal.write_now(runs.set_status, claim.run, status, said, claim=claim)
