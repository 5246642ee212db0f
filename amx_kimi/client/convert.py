"""From an HTTP status and body to our error tree; the only place that looks at status codes.

Moonshot's error page of 2026-08-13; Kimi Code's refusals as its open-source client reads them.
Account ids and keys are taken out of the service's text before anybody sees it.
"""

import json
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from amx_kimi.errors import (
    AccessError,
    AuthenticationError,
    BadRequestError,
    ContentFilterError,
    ContextError,
    DailyLimitError,
    ModelNotFoundError,
    OverloadedError,
    QuotaError,
    RateLimitError,
    ServerError,
    ServiceError,
)
from amx_kimi.facts import Facts, load_catalog
from amx_kimi.types import mask_key

__all__ = ["convert_error", "redact_text", "stated_limits", "wait_seconds"]

_LONGEST_TEXT = 400
_KEY = re.compile(r"(?<![^\W_])sk-[\w-]+")
_ACCOUNT = re.compile(r"(?<![^\W_])(org|ak)-[\w-]+")
_UNITS = {
    "ms": 0.001,
    "millisecond": 0.001,
    "s": 1.0,
    "second": 1.0,
    "minute": 60.0,
    "hour": 3600.0,
}
_SHORT = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_HEADERS = {"rpm": "requests", "tpm": "tokens"}
_WAIT = re.compile(
    r"(?:after|in)\s+(\d{1,6}(?:\.\d{1,3})?)\s*(ms|milliseconds?|seconds?|s|minutes?|hours?)\b",
    re.I,
)


class _Rule(NamedTuple):
    error: type[ServiceError]
    status: tuple[int, ...]
    pattern: str  # searched in "type: message"
    remedy: str


_LIMIT = re.compile(
    r"\bmax (?P<kind>concurrency|RPM|TPM)\b(?:\s*:\s*(?P<figure>\d{1,12}))?", re.IGNORECASE
)
_RATE = "Lower column_batch_size, or set the account's limits (tier, rpm, tpm …) in kimi.yml."
_LATE = {  # in a stream, where the status was 200 before the error was known
    "content_filter": 400,
    "invalid_request_error": 400,
    "exceeded_current_quota_error": 429,
    "rate_limit_reached_error": 429,
    "engine_overloaded_error": 429,
}
_RULES = (  # most specific first
    _Rule(ContentFilterError, (400,), r"content_filter", "The service refuses this content."),
    _Rule(
        ContextError,
        (400,),
        r"context[ _]length|max(imum)?[ _]context|exceed\w* .{0,40}(context|token limit)",
        "Ask for fewer columns at once (--batch-size).",
    ),
    _Rule(BadRequestError, (400, 413, 422), "", "`amx-kimi explain` shows what is sent, and why."),
    _Rule(AuthenticationError, (401,), "", "{region}"),
    _Rule(
        AccessError,
        (402, 403),
        r"access_terminated|unlisted client|client is not|user.agent",
        "The service refuses this client; subscriptions are for the makers' own list of programs.",
    ),
    _Rule(
        AccessError,
        (402, 403),
        r"quota|usage limit",
        "The subscription's quota is used up: wait for its renewal, or use an API key.",
    ),
    _Rule(AccessError, (402,), "", "Check the membership of this account."),
    _Rule(AccessError, (403,), "", "Check the account's rights and its IP allow-list."),
    _Rule(ModelNotFoundError, (404,), "", "{model}"),
    _Rule(OverloadedError, (429,), r"engine_overloaded", "The service is busy; try again later."),
    _Rule(
        QuotaError,
        (429,),
        r"exceeded_current_quota|insufficient|balance",
        "Recharge the account, then resume the run.",
    ),
    _Rule(
        DailyLimitError,
        (429,),
        r"\bTPD\b|tokens per day",
        "The account's tokens of today are used up: resume the run tomorrow.",
    ),
    _Rule(RateLimitError, (429,), "", _RATE),
    _Rule(
        ServiceError,
        (301, 302, 303, 307, 308, 405),
        "",
        "Something else answers at {url}, and redirects are not followed: correct api_base.",
    ),
    _Rule(ServerError, (), "", "The service has trouble; try again later."),
)


def convert_error(
    status: int, headers: Mapping[str, str], body: str, *, facts: Facts, call: str
) -> ServiceError:
    """The error that an answer other than 200 means.

    `body` is the (bounded) text of the answer, JSON or not; `call` names the request for the user.
    """
    kind, text = _kind_and_text(body)
    probe = f"{kind}: {text}"
    began = status == 200  # the error came inside a stream
    status = _LATE.get(kind, status) if began else status
    rule = next(r for r in _RULES if _fits(r, status, probe))
    shown = redact_text(text) or f"HTTP {status}"
    error = rule.error(
        f"{facts.endpoint.label} answered {status}: {shown}",
        status=status,
        kind=kind,
        retry_after=wait_seconds(headers, text),
        call=call,
        remedy=rule.remedy.format(
            region=_region_hint(facts), model=_model_hint(facts), url=facts.endpoint.url
        ),
    )
    if isinstance(error, RateLimitError):
        error.which, error.figure = limit_of(headers, text)
    if status == 504 or (began and status != 429):
        error.charged = None  # something may have been generated; a 429 is never charged
    return error


def limit_of(headers: Mapping[str, str], text: str) -> tuple[str, int | None]:
    """Which limit a 429 names, and its figure: by its text, else by `X-RateLimit-*` headers."""
    if found := _LIMIT.search(text):
        figure = int(found["figure"]) if found["figure"] else None
        return found["kind"].lower(), figure or None
    for kind, name in _HEADERS.items():
        if headers.get(f"x-ratelimit-remaining-{name}") == "0":
            return kind, stated_limits(headers).get(kind)
    return "", None


def stated_limits(headers: Mapping[str, str]) -> dict[str, int]:
    """The `rpm` and `tpm` that `X-RateLimit-Limit-…` headers state."""
    found = {kind: headers.get(f"x-ratelimit-limit-{name}", "") for kind, name in _HEADERS.items()}
    return {
        kind: int(figure)
        for kind, figure in found.items()
        if figure.isascii() and figure.isdecimal() and len(figure) <= 12 and int(figure)
    }


def redact_text(text: str) -> str:
    """A service's text for people: one line, bounded, without keys, account ids or escapes."""
    text = _ACCOUNT.sub(r"\1-…", _KEY.sub(lambda key: mask_key(key[0]), text))
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _LONGEST_TEXT else line[: _LONGEST_TEXT - 1] + "…"


def wait_seconds(headers: Mapping[str, str], text: str) -> float | None:
    """How long the service asks us to wait: `Retry-After` (seconds or a date), else its text."""
    raw = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,6}(\.\d+)?", raw):
        return float(raw)
    if raw:
        try:
            return max(0.0, parsedate_to_datetime(raw).timestamp() - time.time())
        except (ValueError, TypeError, OverflowError):
            pass
    found = _WAIT.search(text)
    if found is None:
        return _reset_seconds(headers)
    unit = found[2].lower()
    return float(found[1]) * _UNITS[unit if unit in _UNITS else unit.rstrip("s")]


def _reset_seconds(headers: Mapping[str, str]) -> float | None:
    """`X-RateLimit-Reset-…` of what is used up: seconds, or such as `1m30s`."""
    for name in _HEADERS.values():
        raw = headers.get(f"x-ratelimit-reset-{name}", "").strip()
        if headers.get(f"x-ratelimit-remaining-{name}") != "0" or not raw:
            continue
        if re.fullmatch(r"\d{1,6}(\.\d{1,6})?", raw):
            return float(raw)
        if re.fullmatch(r"(\d{1,6}(\.\d{1,6})?(ms|s|m|h))+", raw):
            parts = re.findall(r"([\d.]+)(ms|s|m|h)", raw)
            return sum(float(number) * _SHORT[unit] for number, unit in parts)
    return None


def _fits(rule: _Rule, status: int, probe: str) -> bool:
    if rule.status and status not in rule.status:
        return False
    return not rule.pattern or re.search(rule.pattern, probe, re.IGNORECASE) is not None


def _kind_and_text(body: str) -> tuple[str, str]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        title = re.search(r"<title>([^<]{1,200})", body, re.IGNORECASE)
        return "", title[1] if title else body[:_LONGEST_TEXT]
    error = document.get("error", document) if isinstance(document, dict) else document
    if not isinstance(error, dict):
        return "", str(error)
    return str(error.get("type") or ""), str(error.get("message") or "")


def _region_hint(facts: Facts) -> str:
    endpoint = facts.endpoint
    if endpoint.auth == "none":
        return f"{endpoint.label} wants a key: leave out `auth: none` in kimi.yml."
    other = load_catalog().endpoint(endpoint.other_region)
    if other is None:
        return f"Check that the key (sk-…) belongs to the api_base {endpoint.url}."
    return (
        f"Keys for {endpoint.label} start with sk- and come from {endpoint.keys_from}. "
        f"One from {other.keys_from} works only with api_base {other.url}."
    )


def _model_hint(facts: Facts) -> str:
    row = facts.model
    if row.retired_on or row.open_weights:
        when = f"was retired on {row.retired_on}" if row.retired_on else "is open weights only"
        return f"{row.id} {when} at Moonshot's own endpoints; its successor is {row.successor}."
    return "`amx-kimi models` lists the models; some need a higher tier of the account."
