"""Whether a question is asked again after a failure, and the pause before that."""

from collections.abc import Callable
from dataclasses import dataclass, field

import anyio
import structlog

from amx_kimi.arguments import number, whole
from amx_kimi.client.backoff import pause_seconds
from amx_kimi.client.journey import Journey
from amx_kimi.client.limiter import Limiter, Refusal
from amx_kimi.errors import (
    BrokenStreamError,
    KimiError,
    RateLimitError,
    SilenceError,
    UnreachableError,
)
from amx_kimi.log import get_logger

__all__ = ["BACKOFF", "PATIENCE", "RETRIES", "Retries"]

RETRIES = 7
PATIENCE = 1_800.0
BACKOFF = 0.25
_MORE_RETRIES = 5  # if others are answered meanwhile
_FEW_RETRIES = 2  # if nothing was answered yet, or the service cannot be reached


@dataclass
class Retries:
    """The retries of one client's questions.

    Attributes:
        limiter: hears of each refusal by the account's limits.
        learn_limit: remembers a limit that a refusal told.
        most: how often a retryable failure of one question is retried.
        patience: how many seconds in total one question may wait for rate limits.
        backoff: seconds of the first pause; each further pause doubles.
        resting: how many questions pause now.
        refusals: by the account's limits, since the last answer.
        found_concurrency: a refusal told that fewer questions may run concurrently.

    Raises:
        ConfigError: one of the numbers is none, or negative.
    """

    limiter: Limiter
    learn_limit: Callable[[str, int], None]
    most: int
    patience: float
    backoff: float
    log: structlog.stdlib.BoundLogger = field(default_factory=get_logger)
    on_change: Callable[[], None] = lambda: None
    resting: int = 0
    refusals: int = 0
    found_concurrency: bool = False
    _answered: bool = field(default=False, init=False)
    _trouble: int = field(default=0, init=False)  # failures of any question since the last answer

    def __post_init__(self) -> None:
        whole("retries", self.most, least=0)
        number("patience", self.patience, 0)
        number("backoff", self.backoff, 0)

    def answered(self) -> None:
        """A question was answered: the service works."""
        self._answered, self._trouble, self.refusals = True, 0, 0

    async def pause(self, journey: Journey, error: KimiError) -> None:
        """Wait before the next try, or raise `error` if there is none."""
        if error.limit_hit:
            journey.held += 1
        else:
            journey.failures += 1
            self._trouble += 1
        # While others are answered, the service works: only lasting trouble lengthens the pause.
        tries = journey.held if error.limit_hit else min(journey.failures, self._trouble)
        seconds = pause_seconds(error, tries, self.backoff)
        if seconds is None or not self._has_try(journey, error, seconds):
            raise error
        journey.reason = type(error).__name__
        self.log.warning(
            "request.retry",
            label=journey.ask.label,
            error=type(error).__name__,
            message=error.message,
            seconds=round(seconds, 3),
        )
        if not isinstance(error, RateLimitError):
            await self._rest(seconds)
            return
        self._refused(error, seconds, journey.entry)
        if error.which == "concurrency":  # any other limit: the limiter holds everybody
            await anyio.sleep(seconds)

    def _has_try(self, journey: Journey, error: KimiError, seconds: float) -> bool:
        """Hits of a rate limit are not counted, but the total waiting time is limited."""
        if journey.heard:
            return False
        if error.limit_hit:
            journey.waited += seconds
            return journey.waited <= self.patience
        others_answered = self._trouble < journey.failures
        allowed = self.most + (_MORE_RETRIES if self.most and others_answered else 0)
        few = isinstance(error, UnreachableError | SilenceError) and not others_answered
        if few or (isinstance(error, BrokenStreamError) and not self._answered):
            allowed = min(allowed, _FEW_RETRIES)
        return journey.failures <= allowed

    def _refused(
        self, error: RateLimitError, seconds: float, entry: tuple[float, int] | None
    ) -> None:
        self.limiter.refused(Refusal(error.which, error.figure, seconds), entry)
        self.refusals += 1
        self.on_change()
        if error.which == "concurrency":
            self.found_concurrency = True
        elif error.figure:
            self.learn_limit(error.which, error.figure)

    async def _rest(self, seconds: float) -> None:
        """Pause because the service is busy; another question may use the place meanwhile."""
        self.resting += 1
        self.on_change()
        try:
            await anyio.sleep(seconds)
        finally:
            self.resting -= 1
