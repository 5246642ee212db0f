"""Finds how long a service asks us to wait, and which limits it names, in headers and texts."""

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

__all__ = ["limit_of", "reset_in_words", "stated_limits", "wait_seconds"]

_HEADERS = {"rpm": "requests", "tpm": "tokens"}
_NUMBER = r"\d{1,13}(?:\.\d{1,9})?"
_UNIT = (
    r"milliseconds?|msecs?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d"
    r"|毫秒|秒|分钟|小时|天"
)
_FACTORS = {  # by the beginning of the unit, the longer first
    "ms": 0.001,
    "milli": 0.001,
    "毫秒": 0.001,
    "mi": 60.0,
    "m": 60.0,
    "分": 60.0,
    "s": 1.0,
    "秒": 1.0,
    "h": 3600.0,
    "小时": 3600.0,
    "d": 86_400.0,
    "天": 86_400.0,
}
_PART = re.compile(rf"({_NUMBER})\s*({_UNIT})(?![a-z])", re.IGNORECASE)
_DURATION = re.compile(rf"(?:{_NUMBER}\s*(?:{_UNIT})(?![a-z])[\s,]*(?:and\s+)?)+", re.IGNORECASE)
_RUN = re.compile(rf"(?:{_NUMBER}(?:ms|s|m|h|d))+(?![a-z])", re.IGNORECASE)  # such as 1m26.4s
_RUN_PART = re.compile(rf"({_NUMBER})(ms|s|m|h|d)", re.IGNORECASE)
_LEAD = re.compile(  # "300 requests in 5 hours" is no wait
    r"(?:\bafter|\b(?:again|retry|reset\w*|renew\w*|available|back|wait\w*)\b.{0,20}\bin"
    r"|\bwait(?: for)?|retrydelay\W{0,4}|请在|等待)\s*(?:about |another )?$",
    re.IGNORECASE,
)
_ISO = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?\s*(?:Z|UTC|[+-]\d\d:?\d\d)?"
)
_RESETS = re.compile(r"\b(?:reset|renew|retry|try again|until|available)", re.IGNORECASE)
_LIMIT = re.compile(
    r"\bmax (?P<kind>concurrency|RPM|TPM)\b(?:\s*:\s*(?P<figure>\d{1,12}))?"
    r"|\b(?P<kind2>RPM|TPM)\b\W.{0,40}?\blimit:?\s+(?P<figure2>\d{1,12})",
    re.IGNORECASE,
)
_LONGEST = 366 * 86_400.0
_EPOCH_SECONDS, _EPOCH_MILLISECONDS = 1e9, 1e12


def wait_seconds(headers: Mapping[str, str], text: str) -> float | None:
    """How long the service asks us to wait, in seconds; None if it does not say.

    From `Retry-After` (seconds or a date) or `Retry-After-Ms`, else by its text (`20ms`, `1m26.4s`,
    `2 hours`, a date), else by `X-RateLimit-Reset…`.
    """
    for found in (
        _of_retry_after(headers),
        _of_text(text),
        _of_reset(headers),
    ):
        if found is not None and found <= _LONGEST:
            return max(0.0, found)
    return None


def limit_of(headers: Mapping[str, str], text: str) -> tuple[str, int | None]:
    """Which limit a 429 names, and its figure: from its text, else from `X-RateLimit-*` headers."""
    if found := _LIMIT.search(text):
        figure = found["figure"] or found["figure2"]
        kind = found["kind"] or found["kind2"]
        return kind.lower(), int(figure or 0) or None
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


def reset_in_words(seconds: float) -> str:
    """When a limit is free again, for people: the time (UTC) and how long that is."""
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    hours, minutes = divmod(round(seconds / 60), 60)
    span = f"{hours} h {minutes} min" if hours else f"{minutes} min"
    return f"{at:%Y-%m-%d %H:%M} UTC (in {span})"


def _of_retry_after(headers: Mapping[str, str]) -> float | None:
    milliseconds = headers.get("retry-after-ms", "").strip()
    if re.fullmatch(_NUMBER, milliseconds):
        return float(milliseconds) / 1000
    return _moment(headers.get("retry-after", "").strip())


def _of_text(text: str) -> float | None:
    """The first duration after a word such as `after`, `in` or `wait`; else a date."""
    for pattern, part in ((_RUN, _RUN_PART), (_DURATION, _PART)):
        for found in pattern.finditer(text):
            before = text[max(0, found.start() - 50) : found.start()]
            if _LEAD.search(before):
                return _in_seconds(part.findall(found[0]))
    if _RESETS.search(text) and (date := _ISO.search(text)):
        return _of_iso(date[0])
    return None


def _in_seconds(parts: list[tuple[str, str]]) -> float:
    """A duration of numbers with their units."""
    return sum(float(number) * _factor(unit) for number, unit in parts)


def _factor(unit: str) -> float:
    return next(factor for start, factor in _FACTORS.items() if unit.lower().startswith(start))


def _of_reset(headers: Mapping[str, str]) -> float | None:
    """`X-RateLimit-Reset…` of the limit that is used up: a duration such as `1m30s`, or a time."""
    for ending in ("", "-requests", "-tokens", "-day"):
        raw = headers.get(f"x-ratelimit-reset{ending}", "").strip()
        left = headers.get(f"x-ratelimit-remaining{ending}", "" if ending else "0").strip()
        if raw and left == "0":
            return _moment(raw)
    return None


def _moment(raw: str) -> float | None:
    """Seconds from now: a number of them, a duration, a date, or a time since 1970."""
    if re.fullmatch(_NUMBER, raw):
        figure = float(raw)
        if figure >= _EPOCH_MILLISECONDS:
            return figure / 1000 - time.time()
        return figure - time.time() if figure >= _EPOCH_SECONDS else figure
    if _RUN.fullmatch(raw):
        return _in_seconds(_RUN_PART.findall(raw))
    try:
        return parsedate_to_datetime(raw).timestamp() - time.time() if raw else None
    except (ValueError, TypeError, OverflowError):
        return _of_iso(raw)


def _of_iso(raw: str) -> float | None:
    text = re.sub(r"\s*(?:Z|UTC)$", "+00:00", raw.strip())
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return aware.timestamp() - time.time()
