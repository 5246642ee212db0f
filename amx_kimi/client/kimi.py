"""`KimiClient`: the only place that talks to Kimi.

A question is planned (policy), waits for its turn (limiter), reserves its worst case (budget), is
recorded, sent (wire), settled; then corrected, retried, asked again with more room, or returned.
"""

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from amx_kimi.client.account import account_limits, account_name
from amx_kimi.client.answers import Callbacks, WireReply
from amx_kimi.client.budget import Budget, cap_of, worst_case
from amx_kimi.client.corrections import MOST_CORRECTIONS, correction, without_stream
from amx_kimi.client.journey import (
    Journey,
    hearing,
    lost_answer,
    needs_room,
    refused_content,
    reply_of,
    truncated,
)
from amx_kimi.client.limiter import Limits, shared
from amx_kimi.client.question import Question, Wishes, ask_of
from amx_kimi.client.retries import BACKOFF, PATIENCE, RETRIES, Retries
from amx_kimi.client.service import Service
from amx_kimi.client.wire import exchange
from amx_kimi.conceal import conceal_key
from amx_kimi.config import FoundKey, LearnedStore, Profile, direct_key, find_key, given_profile
from amx_kimi.errors import (
    BadRequestError,
    BrokenStreamError,
    ConfigError,
    HaltedError,
    KimiError,
    ModelNotFoundError,
    NotAnApiError,
    SilenceError,
)
from amx_kimi.facts import Facts, Quirk, cost
from amx_kimi.log import get_logger
from amx_kimi.policy import RequestPlan, plan
from amx_kimi.settings import Settings
from amx_kimi.types import Attempt, Recorder, Reply, Usage

__all__ = ["ClientOptions", "KimiClient"]

_MOST_PLACES = 1_000
_CLOSED = "Ask before close(), or inside of the client's `with` block; or make another client."


class ClientOptions(TypedDict, total=False):
    """The options of `KimiClient`, for those who pass them on."""

    model: str
    api_key: str
    base_url: str
    max_cost: Decimal | float | None
    key: FoundKey | None
    budget: Budget | None
    limits: Limits | None
    retries: int
    patience: float
    backoff: float


class KimiClient:
    """Asks a Kimi model, with the policy, limits and budget of a profile.

    `with KimiClient(model="kimi-k2.6", api_key="sk-…")` needs no files. `KimiClient("nightly")`
    uses the profile of that name in AMX's `config.yml`, and `KimiClient()` the active one.
    `requests` counts the requests sent, `answers` the complete answers.

    Args:
        profile: a profile, or its name.
        settings: the environment (default: read now).
        model: a model's id or alias, instead of the profile's.
        api_key: a key, instead of the profile's. Without either: AMX_LLM_API_KEY.
        base_url: an API's address or an endpoint's name, instead of the profile's.
        max_cost: stop before more than this is spent, in the endpoint's currency.
        key: like `api_key`, with where it was found; such as a key that is not saved yet.
        budget: like `max_cost`, but shared with other clients.
        limits: the account's limits (default: the profile's).
        retries: how often a retryable failure of one question is retried.
        patience: how many seconds in total one question may wait for rate limits.
        backoff: seconds of the first pause between retries; each further pause doubles.

    Raises:
        MissingKeyError: there is no key; lists the places that were searched.
        ConfigError: there is no such profile, or an argument is not usable.
    """

    def __init__(
        self,
        profile: Profile | str | None = None,
        settings: Settings | None = None,
        *,
        model: str = "",
        api_key: str = "",
        base_url: str = "",
        max_cost: Decimal | float | None = None,
        key: FoundKey | None = None,
        budget: Budget | None = None,
        limits: Limits | None = None,
        retries: int = RETRIES,
        patience: float = PATIENCE,
        backoff: float = BACKOFF,
    ) -> None:
        self.settings = settings or Settings.from_environment()
        self.profile = who = given_profile(profile, self.settings, model=model, base_url=base_url)
        if key is None and (api_key or profile is None):
            key = direct_key(who, api_key, self.settings)
        self.key: FoundKey = key or find_key(who, self.settings)
        self._learned = LearnedStore(self.settings.config_dir)
        self.facts: Facts = who.facts(self._learned.quirks(who.base_url, who.model))
        self.budget = budget or Budget(cap_of(max_cost), currency=self.facts.currency)
        self.requests = 0
        self.answers = 0
        self.on_change: Callable[[], None] = lambda: None
        self.budget.on_wait = lambda: self.on_change()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._halted = False
        self._waiting: set[anyio.CancelScope] = set()
        self._account = account_name(who, self.key)
        self._recorder: Recorder | None = None
        learned = self._learned.limits(self._account)
        self._limiter = shared(self._account, limits or account_limits(who, learned))
        self._retries = Retries(self._limiter, self._learn_limit, retries, patience, backoff)
        self._retries.on_change = lambda: self.on_change()
        self._service = Service(self.profile, self.key, self.settings, self.facts)
        self._service.moved = lambda base: self.learn(Quirk("api_base", "set", base))
        self._log = get_logger()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.aclose()

    def record_with(self, recorder: Recorder, run: str) -> None:
        """Keep a durable row of each attempt from now on, and name the run in each event."""
        self._recorder = recorder
        self._log = self._retries.log = self._log.bind(run=run)

    def halt(self) -> None:
        """Send nothing more: a question that waits for its turn ends with `HaltedError`, one that
        was sent is still answered."""
        self._halted = True
        for scope in self._waiting:
            scope.cancel()

    async def aclose(self) -> None:
        """Close the connections; the discovered concurrency is remembered."""
        self._closed = True
        proven = self._limiter.state.proven
        if self._retries.found_concurrency and proven < math.inf:
            self._learn_limit("concurrency", int(proven))
        await self._service.aclose()

    async def chat(
        self,
        question: Question,
        *,
        on_content: Callable[[str], None] | None = None,
        on_thinking: Callable[[str], None] | None = None,
        **wishes: Unpack[Wishes],
    ) -> Reply:
        """Ask, and return the whole answer. The question is a text or chat messages.

        If the answer is empty because thinking used up the budget (finish_reason=length), it is
        asked again once with four times the budget. A cut answer is asked again only with
        `ask.whole`; otherwise it is returned as it is. A retry streams its pieces to the callbacks
        again. With `ask.once`, nothing is retried after the caller got content.

        Raises:
            TruncatedError: the answer was cut even with the larger budget.
            KimiError: see the tree in `amx_kimi.errors`.
        """
        ask = ask_of(question, wishes)
        journey = Journey(ask, Callbacks(on_content, on_thinking), ticket=self._limiter.ticket())
        if on_content is not None and ask.once:
            journey.callbacks = replace(journey.callbacks, on_content=hearing(journey, on_content))
        self._check_open()
        try:
            return await self._answer(journey)
        except KimiError as error:
            error.attempts = tuple(journey.attempts)
            raise

    def _check_open(self) -> None:
        if self._closed:
            raise HaltedError("This client is closed, so nothing is sent", remedy=_CLOSED)
        here = asyncio.get_running_loop()
        self._loop = self._loop or here
        if self._loop is not here:
            raise ConfigError(
                "This client belongs to another event loop or process: its connections are there",
                remedy="Create a client in each `asyncio.run` and in each process, or use "
                "SyncKimiClient.",
            )

    async def _answer(self, journey: Journey) -> Reply:
        ask, model = journey.ask, self.facts.wire_model
        first = plan(self.profile, self.facts, self.settings, ask)
        wire, sent = await self._send(journey, first)
        if journey.heard or not needs_room(wire, ask):
            return reply_of(journey, wire, model)
        if sent.retry_budget is not None:
            journey.reason, journey.longer = "length", True
            larger = plan(self.profile, self.facts, self.settings, ask, budget=sent.retry_budget)
            wire, sent = await self._send(journey, larger)
            if not needs_room(wire, ask):
                return reply_of(journey, wire, model)
        raise truncated(journey, sent, reply_of(journey, wire, model), model)

    async def models(self, *, here_only: bool = False) -> list[dict[str, Any]]:
        """The endpoint's list of models (`GET /models`); `here_only` does not try `/v1`.

        Raises:
            KimiError: unreachable, refused, or not a list.
        """
        self._check_open()
        return await self._service.models(self.facts, here_only=here_only)

    async def balance(self) -> Decimal | None:
        """The account's balance, in the endpoint's currency; None if the endpoint does not say."""
        self._check_open()
        return await self._service.balance(self.facts)

    async def _send(self, journey: Journey, current: RequestPlan) -> tuple[WireReply, RequestPlan]:
        """Send one plan, with corrections and retries, until an answer or a final error."""
        facts = self.facts
        while True:
            base = self._service.base_url
            try:
                wire = await self._attempt(journey, current)
            except NotAnApiError as error:
                if self.answers:
                    raise
                await self._service.look_under_v1(error, base, facts)
                journey.reason = "under /v1"
            except (BadRequestError, ModelNotFoundError, BrokenStreamError) as error:
                quirk = self._correction(journey, error, current.body, facts)
                if quirk is None or error.retryable:
                    await self._pause(journey, error)
                if quirk is None:
                    continue
                facts = facts.with_quirk(quirk)
                current = self._replanned(journey, facts)
                journey.corrected.append(quirk)
                if not error.retryable:
                    journey.reason = f"without {quirk.parameter}"
            except KimiError as error:
                await self._pause(journey, error)
            else:
                self._remember(journey, wire)
                return wire, current

    async def _pause(self, journey: Journey, error: KimiError) -> None:
        with self._until_halted():
            await self._retries.pause(journey, error)

    def _correction(
        self, journey: Journey, error: KimiError, body: Mapping[str, Any], facts: Facts
    ) -> Quirk | None:
        """What to change after this error, if anything."""
        if isinstance(error, BrokenStreamError):
            journey.unended += error.at_end
            quirk = without_stream(body) if journey.unended > 1 else None
        else:
            quirk = correction(error, body, facts.model.context)
        return quirk if quirk and self._may_correct(journey, quirk) else None

    def _replanned(self, journey: Journey, facts: Facts) -> RequestPlan:
        base = plan(self.profile, facts, self.settings, journey.ask)
        if not journey.longer or base.retry_budget is None:
            return base
        return plan(self.profile, facts, self.settings, journey.ask, budget=base.retry_budget)

    async def _attempt(self, journey: Journey, current: RequestPlan) -> WireReply:
        """Send one HTTP request, with everything around it: limits, budget, journal, log."""
        worst = worst_case(current, self.facts)
        with self._until_halted():
            reservation = await self.budget.reserve(worst)
        started, wire, outcome, charged = 0.0, None, "Cancelled", None
        request: int | None = None
        has_place = False
        try:
            with self._until_halted():
                journey.entry = await self._limiter.acquire(current.reserved, journey.ticket)
                has_place = True
            self._check_not_halted()  # the place may be that of the failure that ends a run
            if self._recorder:
                with anyio.CancelScope(shield=True):  # no row is left behind unsettled
                    request = await self._recorder.begin(
                        journey.ask,
                        model=self.facts.wire_model,
                        budget=current.budget,
                        reason=journey.reason,
                        worst=worst,
                    )
                await checkpoint_if_cancelled()
            self.requests += 1
            started = time.monotonic()
            wire = await self._exchange(journey, current)
            if refusal := refused_content(journey, wire, self.facts):
                raise refusal
            outcome = "ok"
            self._answered(wire)
            self._limiter.release()
            has_place = False
            return wire
        except KimiError as error:
            outcome, charged = type(error).__name__, error.charged
            raise
        finally:
            usage = wire.usage if wire else Usage(known=charged is False)
            spent = cost(usage, self.facts.prices)
            if not started:  # cancelled while it waited: nothing was sent
                usage, spent = Usage(), Decimal(0)
            seconds = time.monotonic() - started if started else 0.0
            number = len(journey.attempts) + 1
            attempt = Attempt(
                number, journey.reason, current.budget, outcome, usage, spent, seconds
            )
            journey.attempts.append(attempt)
            try:
                with anyio.CancelScope(shield=True):
                    await self._settle(journey, attempt, reservation, request)
            finally:
                if has_place:  # not before: this failure may be the last, and nobody is to follow
                    self._limiter.release()

    @contextmanager
    def _until_halted(self) -> Iterator[None]:
        self._check_not_halted()
        with anyio.CancelScope() as scope:
            self._waiting.add(scope)
            try:
                yield
            finally:
                self._waiting.remove(scope)
        if scope.cancelled_caught:
            self._check_not_halted()

    def _check_not_halted(self) -> None:
        if self._halted:
            raise HaltedError("Nothing more is sent")

    def _answered(self, wire: WireReply) -> None:
        self.answers += 1
        self._retries.answered()
        self._limiter.answered()
        for kind, figure in wire.limits.items():
            self._limiter.learn(kind, figure)

    async def _settle(
        self, journey: Journey, attempt: Attempt, reservation: Decimal, request: int | None
    ) -> None:
        await self.budget.settle(reservation, attempt.cost)
        if self._recorder and request is not None:
            await self._recorder.settle(request, attempt)
        self._log.info(
            "request.settled",
            label=journey.ask.label,
            attempt=attempt.number,
            reason=attempt.reason,
            outcome=attempt.outcome,
            budget=attempt.budget,
            prompt_tokens=attempt.usage.prompt,
            completion_tokens=attempt.usage.completion,
            cost=str(attempt.cost) if attempt.cost is not None else None,
            seconds=round(attempt.seconds, 3),
        )

    async def _exchange(self, journey: Journey, current: RequestPlan) -> WireReply:
        call = f"{journey.ask.label}, {self.facts.wire_model}"
        try:
            with anyio.fail_after(self.settings.total_seconds), self._service.take() as http:
                reply = await exchange(
                    http,
                    current.body,
                    facts=self.facts,
                    call=call,
                    callbacks=journey.callbacks,
                )
                return self._heard(reply)
        except NotAnApiError as error:
            if not self.answers:
                raise self._service.without_key(error) from None
            # It was one before: a page in between is trouble, not another address.
            raise BrokenStreamError(self._service.without_key(error).message, call=call) from None
        except KimiError as error:
            raise self._service.without_key(error) from None
        except TimeoutError:
            raise SilenceError(
                f"The answer took longer than {self.settings.total_seconds:g} seconds in total",
                call=call,
                remedy="AMX_KIMI_TOTAL_TIMEOUT_SEC sets this limit, in seconds.",
            ) from None

    def _heard(self, reply: WireReply) -> WireReply:
        """The answer with our key masked, which a service may repeat."""
        if self.key.secret:
            for pieces in (reply.content, reply.reasoning):
                text = "".join(pieces)
                if (plain := conceal_key(text, self.key.secret)) != text:
                    pieces[:] = [plain]
                    reply.logprobs = []
        return reply

    def _may_correct(self, journey: Journey, quirk: Quirk) -> bool:
        if quirk.parameter in journey.ask.own:  # a caller's own parameter may just be wrong
            return False
        seen = {known.parameter for known in journey.corrected}
        return quirk.parameter not in seen and len(seen) < MOST_CORRECTIONS

    def _remember(self, journey: Journey, wire: WireReply) -> None:
        """Learn from a request that was answered, for this process and the next one."""
        quirks = [*journey.corrected]
        journey.corrected.clear()
        if wire.streamed and not wire.done:
            quirks.append(Quirk("[DONE]", "drop"))
        answer, where = lost_answer(journey.ask, wire, self.facts)
        if answer:
            wire.content = [answer]
            wire.reasoning = [] if where == "reasoning_content" else wire.reasoning
            quirks.append(Quirk("content", "set", where))
        self.learn(*quirks)

    def learn(self, *quirks: Quirk) -> None:
        """Remember observed habits of this endpoint, if they are not known yet."""
        known = {name: (quirk.action, quirk.value) for name, quirk in self.facts.quirks.items()}
        news = [q for q in quirks if known.get(q.parameter) != (q.action, q.value)]
        if not news:
            return
        for quirk in news:
            self.facts = self.facts.with_quirk(quirk)
        self._log.info("endpoint.learned", parameters=[quirk.parameter for quirk in news])
        try:
            self._learned.learn(self.profile.base_url, self.profile.model, tuple(news))
        except ConfigError as error:  # an answer was paid for: not knowing it next time is cheaper
            self._log.warning("endpoint.not_remembered", message=error.message)

    def _learn_limit(self, kind: str, figure: int) -> None:
        with suppress(ConfigError):  # the file cannot be written: found again next time
            self._learned.learn_limit(self._account, kind, figure)

    @property
    def places(self) -> int:
        """How many questions could be asked now.

        These are as many as may run concurrently, and at most as many again for those that pause;
        none while a question waits because of the cap.
        """
        if self.budget.waiting:
            return 0
        at_once = int(min(self._limiter.state.at_once, _MOST_PLACES))
        return at_once + min(self._retries.resting, at_once)

    @property
    def limits(self) -> Limits:
        """The account's limits, as far as they are known by now."""
        return self._limiter.state.limits

    @property
    def refusals(self) -> int:
        """How often the account's limits refused a question since the last answer."""
        return self._retries.refusals

    @property
    def held(self) -> float:
        """For how many seconds limits let no question start, or 0."""
        return self._limiter.held
