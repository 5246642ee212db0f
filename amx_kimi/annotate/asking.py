"""Sends batches through the client and writes answers to the journal, until nothing is pending.

Only counters are kept in memory for the whole run. What is pending, found and paid for is in the
journal.
"""

from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from decimal import Decimal

import anyio

from amx_kimi.annotate.batch import Batch
from amx_kimi.annotate.confidence import score_spans, suggestion
from amx_kimi.annotate.job import Job, OpenRun
from amx_kimi.annotate.pack import Expectation, Packer, packer_of
from amx_kimi.annotate.parse import parse
from amx_kimi.annotate.pending import batches
from amx_kimi.annotate.prompt import messages
from amx_kimi.annotate.trial import NOTHING, Trial, first_size, is_proven
from amx_kimi.client import KimiClient
from amx_kimi.errors import (
    ContentFilterError,
    ContextError,
    HaltedError,
    KimiError,
    TooLargeError,
    TruncatedError,
)
from amx_kimi.facts import Quirk
from amx_kimi.journal import answers, items
from amx_kimi.log import get_logger
from amx_kimi.tokens import count_messages
from amx_kimi.types import Ask, Reply

__all__ = ["Progress", "ask_pending", "question"]

_MOST_NAMED = 8
_MOST_TRIES = 3  # the first, and twice again for what was forgotten


@dataclass
class Progress:
    """A run's progress.

    - `columns`: how many columns it asks about
    - `held`: for how many seconds the account's limits let no request start
    - `refusals`: how often the limits refused a request since the last answer
    - `capped`: whether requests wait because of the cost cap
    """

    columns: int = 0
    done: int = 0
    failed: int = 0
    requests: int = 0
    cost: Decimal | None = None
    held: float = 0.0
    refusals: int = 0
    capped: bool = False


class _Asking:
    """The asking of a run, with the state that its workers share."""

    def __init__(
        self,
        run: OpenRun,
        client: KimiClient,
        packer: Packer,
        progress: Progress,
        notify: Callable[[Progress], None],
    ) -> None:
        self.run, self.job, self.journal = run, run.job, run.journal
        self.client, self.packer = client, packer
        self.progress, self._notify = progress, notify
        self.stop: BaseException | None = None
        self.refused: list[str] = []  # items whose content the service refuses
        self.trial = Trial(is_proven(client.facts))
        self._active = 0
        self._changed = anyio.Event()
        self._is_too_large = False
        self._log = get_logger().bind(run=run.id)

    async def ask_all(self) -> None:
        """Ask batch after batch, as many concurrently as the client has places for, until all is
        asked or an error stops the run.

        A batch is packed only when there is a place for it, so that it uses all that was learned.
        """
        source = batches(self.run, self.packer, self._lost)
        self.client.on_change = self._signal
        async with anyio.create_task_group() as group, aclosing(source):
            try:
                while await self._place() and (batch := await anext(source, None)):
                    self._active += 1
                    group.start_soon(self._work, batch)
            except KimiError as error:  # the source was lost; running requests still count
                self._stop(error)

    async def _work(self, batch: Batch) -> None:
        """Ask a batch, and the smaller ones that follow from it."""
        todo = [batch]
        try:
            while todo and not self.stop:
                todo += await self._ask(todo.pop())
        except KimiError as error:  # from the journal, which can keep nothing more
            self._stop(error)
        finally:
            self._active -= 1
            self._signal()

    async def _place(self) -> bool:
        """Wait until the client has a place; False if the run must stop. Until the model has
        proven itself, there is only one place."""
        while self._active >= (self.client.places if self.trial.proven else 1) and not self.stop:
            self._changed = anyio.Event()
            await self._changed.wait()
        return not self.stop

    def _signal(self) -> None:
        self._changed.set()
        client, shown = self.client, self.progress
        before = (shown.held, shown.refusals, shown.capped, shown.requests)
        shown.held, shown.refusals = client.held, client.refusals
        shown.capped, shown.requests = client.budget.waiting > 0, client.requests
        if before != (shown.held, shown.refusals, shown.capped, shown.requests):
            self.tell()

    async def _ask(self, batch: Batch) -> list[Batch]:
        expected = self.packer.expectation
        batch = batch.leaving_out(frozenset(self.refused)) if self.refused else batch
        ask = question(batch, self.job, expected, self.run.id)
        try:
            reply = await self.client.chat(ask)
        except HaltedError:
            return []
        except KimiError as error:
            return await self._failed(batch, ask, error)
        counted = round(ask.prompt_tokens / expected.prompt_ratio)
        self.packer.observe(batch.size, counted, reply)
        return await self._answered(batch, reply)

    async def _answered(self, batch: Batch, reply: Reply) -> list[Batch]:
        """Keep what the reply has; what it lacks is asked again separately, at most twice."""
        wanted = self.job.wanted
        found = parse(reply.content, batch, wanted.alternatives, markup=wanted.markup)
        if found:
            self._usable()
        elif self._stops(NOTHING, len(reply.attempts)) and batch.tries + 1 < _MOST_TRIES:
            return []
        scores = score_spans(reply.content, reply.logprobs, [e.span for e in found.values()])
        rows = [
            (batch.refs[ref], suggestion(entry, score, self.job.profile))
            for (ref, entry), score in zip(found.items(), scores, strict=True)
        ]
        await self.journal.write(
            answers.save_suggestions, self.job.profile.model, rows, batch.facts_shown()
        )
        self._advance(done=sum(1 for stored, _ in rows if stored.item.column))
        missing = [stored.id for ref, stored in batch.refs.items() if ref not in found]
        cut = reply.finish_reason == "length"
        # An answer without entries, or a column that fails again, says nothing about sizes.
        if (found or cut) and not batch.tries:
            self.packer.answered(batch.size, len(missing))
        if not missing:
            return []
        self._log.warning("reply.incomplete", label=batch.label, missing=len(missing), cut=cut)
        if cut and len(missing) > 1 and not self.stop:
            return list(batch.only(missing, tries=batch.tries).halves())
        if batch.tries + 1 < _MOST_TRIES:
            return [batch.only(missing, tries=batch.tries + 1)]
        why = "the answer was cut off" if cut else "the model left it out"
        await self._give_up(batch, missing, f"{why}, {_MOST_TRIES} times")
        return []

    async def _failed(self, batch: Batch, ask: Ask, error: KimiError) -> list[Batch]:
        may_be_context = isinstance(error, ContentFilterError) and not batch.is_bare
        of_one = batch.size == 1 and not may_be_context
        if self._stops(error, len(error.attempts), of_one=of_one):
            return []
        if may_be_context:
            bare = batch.bare()
            return list(bare.halves()) if batch.size > 1 else [bare]
        if error.splittable and batch.size > 1:
            if isinstance(error, TooLargeError):
                self.packer.too_large(ask.prompt_tokens)
                self._is_too_large = True
            elif isinstance(error, TruncatedError | ContextError):
                self.packer.answered(batch.size, batch.size)
            return list(batch.halves())
        if isinstance(error, ContentFilterError):
            self.refused += [stored.item.name for stored in batch.refs.values()]
        await self._give_up(batch, [stored.id for stored in batch.refs.values()], error.message)
        return []

    def _usable(self) -> None:
        """Note that an answer was usable: from now on, requests may be as many and large as fit."""
        self.trial.usable()
        self.packer.first = None
        if self._is_too_large:
            self.client.learn(Quirk("prompt", "set", self.packer.most_prompt))
            self._is_too_large = False
        self.client.learn(Quirk("contract", "set", True))
        self._signal()

    def _stops(self, error: KimiError, requests: int, *, of_one: bool = False) -> bool:
        if self.trial.failed(error, requests, of_one=of_one):
            self._stop(error)
        return self.stop is not None

    def _stop(self, error: BaseException) -> None:
        self.stop = self.stop or error
        self.client.halt()

    async def _give_up(self, batch: Batch, ids: list[int], why: str) -> None:
        await self.journal.write(items.fail_items, ids, why)
        columns = {stored.id for stored in batch.refs.values() if stored.item.column}
        self._advance(failed=len(columns & set(ids)))

    def _lost(self, columns: int) -> None:
        self._advance(failed=columns)

    def _advance(self, done: int = 0, failed: int = 0) -> None:
        self.progress.done += done
        self.progress.failed += failed
        if self.client.facts.prices:
            self.progress.cost = self.client.budget.spent
        self.progress.requests = self.client.requests
        self.tell()

    def tell(self) -> None:
        """Tell how far the run is. If the listener raises an error, that ends the run, but what was
        sent is still answered and kept."""
        try:
            self._notify(self.progress)
        except BaseException as error:
            self._notify = lambda _: None
            self._stop(error)


async def ask_pending(
    run: OpenRun, client: KimiClient, notify: Callable[[Progress], None]
) -> BaseException | None:
    """Ask about everything that is pending in a run's inventory; the journal gets the results.

    Returns:
        The error that stopped the run early, or None. It is not raised here, because an event loop
        does not survive a KeyboardInterrupt.
    """
    progress = Progress(columns=run.journal.read(items.count_pending, run.id))
    packer = packer_of(run.job, client.facts, client.settings, client.limits)
    packer.first = first_size(progress.columns, packer.most, proven=is_proven(client.facts))
    asking = _Asking(run, client, packer, progress, notify)
    asking.tell()
    await asking.ask_all()
    if asking.refused:
        run.reader.source.notes.append(_refused_in_words(asking.refused))
    if not isinstance(asking.stop, KimiError) or asking.stop.stops_run:
        return asking.stop
    is_done = not run.journal.read(items.pending, run.id, 0, 1)
    return None if is_done else asking.stop  # None: everything was asked, and the rest failed


def question(batch: Batch, job: Job, expected: Expectation, run: str) -> Ask:
    """The request that asks about a batch, for the client."""
    chat = messages(batch, job.wanted, job.context)
    return Ask(
        messages=chat,
        prompt_tokens=round(count_messages(chat) * expected.prompt_ratio),
        json_mode=True,
        whole=batch.size == 1,  # a cut answer about one column is useless; only more room helps
        cache_key=f"amx-kimi-{run}",
        label=batch.label,
        holds=lambda text: len(parse(text, batch, 1)) == batch.size,
    )


def _refused_in_words(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    more = len(names) - _MOST_NAMED
    return f"The service refuses the content of {shown}" + (f" and {more} more" if more > 0 else "")
