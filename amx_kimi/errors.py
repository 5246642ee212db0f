"""Every error that amx-kimi raises on purpose, in one tree.

    KimiError
    ├── ConfigError               what the user gave us: files, flags, variables
    │   ├── SettingError          an environment variable
    │   ├── ConfigFileError       a file of ours or AMX's: path and line
    │   ├── FactsError            a row of models.yml or endpoints.yml
    │   ├── UnknownProfileError   with the nearest names
    │   ├── MissingKeyError       with the places that were looked at
    │   └── KeyringError          the OS keyring is absent, locked or refuses
    ├── SourceError               the database that is being described
    ├── JournalError              the place where results are kept
    ├── ReplyError                an answer that cannot be used
    │   └── TruncatedError        finish_reason=length, also with the larger budget
    ├── BudgetError               the next request could pass the cost cap
    ├── HaltedError               the client was told to send nothing more
    ├── TransportError            no whole answer arrived
    │   ├── UnreachableError      nothing was sent
    │   ├── SilenceError          sent, then nothing for too long
    │   └── BrokenStreamError     sent, and cut off before `[DONE]`
    └── ServiceError              the endpoint answered with an error
        ├── NotAnApiError         a web page, or another path: something else answers there
        ├── BadRequestError       400; may name the parameter it objects to
        │   ├── ContextError      prompt + output budget above the model's context
        │   ├── TooLargeError     413: the request has too many bytes
        │   └── ContentFilterError
        ├── AuthenticationError   401: key or region
        ├── AccessError           402, 403: rights, membership, IP allow-list
        ├── ModelNotFoundError    404: retired, unknown, or above the account's tier
        ├── RateLimitError        429: concurrency, RPM, TPM
        │   └── UsedUpError       a limit of a day or longer, or a budget
        ├── QuotaError            429: no balance, never retried
        ├── OverloadedError       429: the engine, not the account
        └── ServerError           5xx

Each says what happened, in which call, and what to do next. The consequences of an error are
properties of its class:

- `retryable`: the same request may succeed later
- `limit_hit`: all requests should slow down
- `stops_run`: no other request can succeed
- `splittable`: a request with fewer columns may succeed
- `charged`: whether the attempt may have cost money; None if nobody knows
- `exit_code`: of the command
"""

from typing import TYPE_CHECKING

from amx_kimi.conceal import conceal_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amx_kimi.types import Attempt, Reply

__all__ = [
    "AccessError",
    "AuthenticationError",
    "BadRequestError",
    "BrokenStreamError",
    "BudgetError",
    "ConfigError",
    "ConfigFileError",
    "ContentFilterError",
    "ContextError",
    "FactsError",
    "HaltedError",
    "JournalError",
    "KeyringError",
    "KimiError",
    "MissingKeyError",
    "ModelNotFoundError",
    "NotAnApiError",
    "OverloadedError",
    "QuotaError",
    "RateLimitError",
    "ReplyError",
    "ServerError",
    "ServiceError",
    "SettingError",
    "SilenceError",
    "SourceError",
    "TooLargeError",
    "TransportError",
    "TruncatedError",
    "UnknownProfileError",
    "UnreachableError",
    "UsedUpError",
]


class KimiError(Exception):
    """Base of the tree. `str()` gives the message with the call, then the remedy on its own line.

    Keys and passwords in them are masked. `attempts` are the requests that were made before the
    error.
    """

    retryable = False
    limit_hit = False
    stops_run = False
    splittable = False
    charged: bool | None = False
    exit_code = 1

    def __init__(self, message: str, *, call: str = "", remedy: str = "") -> None:
        # All text of people or services that an error repeats passes here.
        self.message = conceal_text(message)
        self.call = conceal_text(call)
        self.remedy = conceal_text(remedy)
        super().__init__(self.message)
        self.attempts: Sequence[Attempt] = ()

    def __reduce__(self) -> tuple[object, ...]:
        # An exception is otherwise rebuilt from its message alone, which most of ours refuse.
        return _rebuilt, (type(self), self.args, self.__dict__)

    def __str__(self) -> str:
        where = f" (in {self.call})" if self.call else ""
        remedy = f"\n{self.remedy}" if self.remedy else ""
        return f"{self.message}{where}{remedy}"


def _rebuilt(
    kind: type[KimiError], args: tuple[object, ...], state: dict[str, object]
) -> KimiError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class ConfigError(KimiError):
    """The configuration, a flag or an argument is wrong."""

    stops_run = True
    exit_code = 2


class SettingError(ConfigError):
    """An environment variable has a value that is not allowed."""


class ConfigFileError(ConfigError):
    """A configuration file cannot be read, parsed or written."""


class FactsError(ConfigError):
    """A row of a facts file is malformed."""


class UnknownProfileError(ConfigError):
    """No profile has this name."""


class MissingKeyError(ConfigError):
    """No API key was found in any of the places that were searched."""


class KeyringError(ConfigError):
    """The OS keyring is absent, locked, or refused."""


class SourceError(KimiError):
    """The database to describe cannot be opened or read."""

    stops_run = True
    exit_code = 2


class JournalError(KimiError):
    """The journal cannot be opened or written."""

    stops_run = True
    exit_code = 2


class ReplyError(KimiError):
    """An answer arrived that cannot be used."""

    splittable = True
    charged = True


class TruncatedError(ReplyError):
    """The answer ended with finish_reason=length, even with the retry's larger budget.

    `reply` is what arrived; its content is blank if thinking used up the budget.
    """

    def __init__(
        self, message: str, *, reply: "Reply | None" = None, call: str = "", remedy: str = ""
    ) -> None:
        super().__init__(message, call=call, remedy=remedy)
        self.reply = reply


class BudgetError(KimiError):
    """The next request could pass the cost cap, so it was not sent."""

    stops_run = True
    exit_code = 3


class HaltedError(KimiError):
    """The client was told to send nothing more, and this question was not sent."""

    charged = False


class TransportError(KimiError):
    """No whole answer arrived over the network."""

    retryable = True
    charged: bool | None = None


class UnreachableError(TransportError):
    """The endpoint could not be reached: nothing was sent."""

    charged = False
    stops_run = True


class SilenceError(TransportError):
    """The request was sent, and nothing arrived for longer than AMX_LLM_TIMEOUT_SEC allows."""


class BrokenStreamError(TransportError):
    """The connection broke, or the stream ended before `[DONE]`.

    `at_end`: the connection ended normally, but the answer is incomplete.
    """

    at_end = False


class ServiceError(KimiError):
    """The endpoint answered with an error.

    `status` is the HTTP status, `kind` the body's `error.type`, `retry_after` the seconds that the
    service asked us to wait (None when it named none).
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        kind: str = "",
        retry_after: float | None = None,
        call: str = "",
        remedy: str = "",
    ) -> None:
        super().__init__(message, call=call, remedy=remedy)
        self.status = status
        self.kind = kind
        self.retry_after = retry_after


class BadRequestError(ServiceError):
    """400: the request is not acceptable."""


class NotAnApiError(ServiceError):
    """Something else than a chat API answers at this address, such as a web page."""

    stops_run = True
    exit_code = 2


class ContextError(BadRequestError):
    """400: the prompt and the output budget together exceed the model's context."""

    splittable = True


class TooLargeError(BadRequestError):
    """413: the request is too large for the service, or for a proxy in front of it."""

    splittable = True


class ContentFilterError(BadRequestError):
    """400 or 403: the service refuses this content."""

    splittable = True


class AuthenticationError(ServiceError):
    """401: the key is wrong, or belongs to the other region."""

    stops_run = True
    exit_code = 2


class AccessError(ServiceError):
    """402 or 403: rights, membership, quota of a subscription, or an IP allow-list."""

    stops_run = True
    exit_code = 2


class ModelNotFoundError(ServiceError):
    """404: the model is retired or unknown, or above the account's tier."""

    stops_run = True
    exit_code = 2


class RateLimitError(ServiceError):
    """429 rate_limit_reached_error: concurrency, requests or tokens per minute.

    `which` is `concurrency`, `rpm`, `tpm` or "" where the service does not say; `figure` its limit.
    """

    which: str = ""
    figure: int | None = None
    retryable = True
    limit_hit = True
    stops_run = True  # after all the waiting: what is pending can be resumed


class UsedUpError(RateLimitError):
    """A limit of a day or longer, a subscription's quota or a budget is used up, so waiting a few
    minutes does not help."""

    retryable = False


class QuotaError(ServiceError):
    """429 exceeded_current_quota_error: the account has no balance."""

    stops_run = True


class OverloadedError(ServiceError):
    """429 engine_overloaded_error: the service is busy; the account's limits are not the cause."""

    retryable = True


class ServerError(ServiceError):
    """5xx."""

    retryable = True
