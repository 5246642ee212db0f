"""Turns a refusal into an error of `amx_kimi.errors`; the only place that looks at status codes.

The meanings of refusals are data (`facts/refusals.yml`). Account ids and keys are masked in the
service's text before anybody sees it.
"""

import re
from collections.abc import Mapping
from typing import Any

from amx_kimi.client.said import Said, read_said
from amx_kimi.client.waits import limit_of, reset_in_words, wait_seconds
from amx_kimi.conceal import conceal_text
from amx_kimi.errors import RateLimitError, ServiceError
from amx_kimi.facts import Facts, load_catalog, load_refusals
from amx_kimi.text import printable

__all__ = ["convert_error", "service_text"]

_LONGEST_TEXT = 400
_WORTH_A_TIME = 300.0  # seconds; a longer wait is shown as a time of day
_ACCOUNT = re.compile(r"(?<![^\W_])(org|ak)-[\w-]+")
_OK = 200


def convert_error(
    status: int,
    headers: Mapping[str, str],
    body: Any,
    *,
    facts: Facts,
    call: str,
    begun: bool | None = None,
) -> ServiceError:
    """The error that a refusal means.

    `body` is the (bounded) text of the answer, or the JSON document that came with status 200.
    `call` names the request for the user. `begun` says whether a part of an answer came before it
    (default: maybe, if the status was 200).
    """
    begun = status == _OK if begun is None else begun
    said = read_said(body)
    headers = {**said.headers, **headers}
    known = status if status != _OK else _status_of(said)
    row = load_refusals().row(known, said.probe)
    wait = wait_seconds(headers, said.text)
    error = row.error_class(
        _message(status, said, facts),
        status=known or status,
        kind=said.kind,
        retry_after=wait,
        call=call,
        remedy=row.remedy.format(
            region=_region_hint(facts), model=_model_hint(facts), url=facts.endpoint.url
        ),
    )
    if isinstance(error, RateLimitError):
        error.which, error.figure = limit_of(headers, said.text)
        if wait is not None and wait <= _WORTH_A_TIME:
            error.retryable = True  # even for a daily limit, if it allows the next request soon
        elif wait:
            error.message = (
                f"{error.message.rstrip('.')}; available again at {reset_in_words(wait)}"
            )
    if status == 504 or (begun and not error.limit_hit and known != 429):
        error.charged = None  # something may have been generated; a 429 is never charged
    return error


def service_text(text: str) -> str:
    """A service's text for people: one line, bounded, without keys, account ids or escapes."""
    text = _ACCOUNT.sub(r"\1-…", conceal_text(text))
    line = " ".join(printable(text).split())
    return line if len(line) <= _LONGEST_TEXT else line[: _LONGEST_TEXT - 1] + "…"


def _status_of(said: Said) -> int:
    """The status that a refusal with HTTP 200 means: the one in its text, else its type's."""
    statuses = load_refusals().statuses
    named = next((statuses[kind] for kind in said.kinds if kind in statuses), 0)
    return said.status or named


def _message(status: int, said: Said, facts: Facts) -> str:
    label = facts.endpoint.label
    inside = ""
    if status == _OK:
        inside = " with an error inside" + (f" ({said.status})" if said.status else "")
    shown = service_text(said.text) or said.kind or f"HTTP {status}"
    return f"{label} answered {status}{inside}: {shown}"


def _region_hint(facts: Facts) -> str:
    endpoint = facts.endpoint
    if endpoint.auth == "none":
        return f"{endpoint.label} requires a key: remove `auth: none` from kimi.yml."
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
        when = (
            f"was retired on {row.retired_on}"
            if row.retired_on
            else "is available only as open weights"
        )
        lists = (
            "" if facts.endpoint.own else "`amx-kimi models --refresh` lists what is served here. "
        )
        there = f"{row.id} {when} at Moonshot's own endpoints; its successor is {row.successor}."
        return lists + there
    return "`amx-kimi models` lists the models; some need a higher tier of the account."
