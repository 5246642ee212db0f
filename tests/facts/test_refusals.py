"""The table of refusals, row by row: each sample ends in its own row."""

from __future__ import annotations

import pytest

from amx_kimi.client.convert import convert_error
from amx_kimi.facts import load_catalog, load_refusals, resolve
from amx_kimi.facts.tables import RefusalRow, RefusalSample

ENDPOINT = load_catalog().endpoint("moonshot-ai")
assert ENDPOINT is not None
FACTS = resolve("kimi-k3", ENDPOINT)
SAMPLES = [(row, sample) for row in load_refusals().refusals for sample in row.samples]


@pytest.mark.parametrize(("row", "sample"), SAMPLES, ids=lambda one: getattr(one, "by", ""))
def test_each_sample_is_of_its_row(row: RefusalRow, sample: RefusalSample) -> None:
    error = convert_error(sample.status, {}, sample.body, facts=FACTS, call="a test")
    assert type(error) is row.error_class
    expected = row.remedy.split("{")[0]
    assert error.remedy.startswith(expected)


def test_every_row_has_a_sample_and_a_remedy() -> None:
    for row in load_refusals().refusals:
        assert row.samples
        assert row.remedy
        assert all(sample.by for sample in row.samples)


# Words that mean one thing by one status, and another by another.
TRAPS = [
    (500, "internal: failed to evaluate rate limit script: i/o timeout", "ServerError"),
    (500, "unavailable: 503 Service Unavailable", "ServerError"),
    (400, "invalid rate_limit option", "RateLimitError"),
    (429, "maximum context length is 1000 tokens, you requested 2000 a minute", "RateLimitError"),
    (401, "该令牌额度已用尽", "QuotaError"),
    (401, "whatever", "AuthenticationError"),
    (403, "No token provided", "AuthenticationError"),
    (404, "", "NotAnApiError"),
    (404, "404 page not found", "NotAnApiError"),
    (404, "the model is not there", "ModelNotFoundError"),
    (503, "The request queue is full.", "OverloadedError"),
    (400, "Throttling error: Too many tokens, please wait before trying again.", "RateLimitError"),
]


@pytest.mark.parametrize(("status", "words", "error"), TRAPS)
def test_the_status_counts_too(status: int, words: str, error: str) -> None:
    body = {"error": {"message": words}} if words else {}
    found = convert_error(status, {}, body, facts=FACTS, call="")
    assert type(found).__name__ == error
