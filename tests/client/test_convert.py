"""Statuses and bodies into errors; texts without secrets; waits."""

from __future__ import annotations

import json
import string
import time
from email.utils import formatdate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amx_kimi.client.convert import convert_error, service_text
from amx_kimi.client.waits import stated_limits, wait_seconds
from amx_kimi.errors import (
    AccessError,
    AuthenticationError,
    BadRequestError,
    ContentFilterError,
    ContextError,
    ModelNotFoundError,
    NotAnApiError,
    OverloadedError,
    QuotaError,
    RateLimitError,
    ServerError,
    ServiceError,
    TooLargeError,
    UsedUpError,
)
from amx_kimi.facts import load_catalog, match_endpoint, resolve

CATALOG = load_catalog()
ENDPOINT = CATALOG.endpoint("moonshot-ai")
assert ENDPOINT is not None
FACTS = resolve("kimi-k3", ENDPOINT)


def error_of(status: int, body: object, **headers: str) -> ServiceError:
    text = body if isinstance(body, str) else json.dumps(body)
    return convert_error(status, headers, text, facts=FACTS, call="a test")


def body(kind: str = "", message: str = "") -> dict[str, object]:
    return {"error": {"type": kind, "message": message}}


INVALID = "invalid_request_error"
RATE = "rate_limit_reached_error"
TABLE: list[tuple[int, object, type[ServiceError], str]] = [
    (400, body("content_filter", "high risk"), ContentFilterError, "refuses this content"),
    (400, body(INVALID, "maximum context length is 5"), ContextError, "--batch-size"),
    (400, body(INVALID, "exceeded model token limit: 5"), ContextError, "--batch-size"),
    (400, body("context_length_exceeded", "too long"), ContextError, "--batch-size"),
    (400, body(INVALID, "invalid temperature"), BadRequestError, "explain"),
    (413, "too large", TooLargeError, "--batch-size"),
    (422, {"detail": "no"}, BadRequestError, "explain"),
    (401, body("invalid_authentication_error", "no"), AuthenticationError, "api.moonshot.cn"),
    (401, "", AuthenticationError, "sk-"),
    (402, body("", "please subscribe"), AccessError, "membership"),
    (402, body("", "the quota is used up"), UsedUpError, "renewal"),
    (403, body("access_terminated_error", "only for …"), AccessError, "this client"),
    (403, body("", "unlisted User-Agent"), AccessError, "this client"),
    (403, body("", "weekly usage limit reached"), UsedUpError, "renewal"),
    (403, body("permission_denied_error", "no"), AccessError, "allow-list"),
    (404, body("resource_not_found_error", "no"), ModelNotFoundError, "amx-kimi models"),
    (429, body("engine_overloaded_error", "busy"), OverloadedError, "later"),
    (429, body("exceeded_current_quota_error", "x"), QuotaError, "Recharge"),
    (429, body("", "insufficient balance"), QuotaError, "Recharge"),
    (429, body(RATE, "reached organization max TPD: 1500000"), UsedUpError, "tomorrow"),
    (429, body(RATE, "too many tokens per day"), UsedUpError, "tomorrow"),
    (429, body(RATE, "reached organization max RPM: 3"), RateLimitError, "column_batch_size"),
    (429, body(RATE, "reached organization max TPM: 3"), RateLimitError, "kimi.yml"),
    (429, "", RateLimitError, "kimi.yml"),
    (500, body("server_error", "x"), ServerError, "later"),
    (503, body("server_unavailable", "x"), ServerError, "later"),
    (504, "<html><title>504 Gateway Time-out</title></html>", ServerError, "later"),
    (499, body("client_closed_request"), ServerError, "later"),
    (302, "", NotAnApiError, "https://api.moonshot.ai/v1"),
    (405, "", NotAnApiError, "api_base"),
    (200, body(RATE, "RPM"), RateLimitError, "kimi.yml"),
    (200, body("exceeded_current_quota_error"), QuotaError, "Recharge"),
    (200, body("unexpected_output"), ServerError, "later"),
]


@pytest.mark.parametrize(("status", "answer", "kind", "remedy"), TABLE)
def test_the_error_of_an_answer(
    status: int, answer: object, kind: type[ServiceError], remedy: str
) -> None:
    error = error_of(status, answer)
    assert type(error) is kind
    assert remedy in error.remedy
    assert error.call == "a test"
    assert error.message.startswith("moonshot-ai answered ")


@pytest.mark.parametrize(
    ("status", "kind", "charged"),
    [
        (504, "", None),
        (500, "server_error", False),
        (503, "", False),
        (429, RATE, False),
        (400, "content_filter", False),
        (200, "server_error", None),
        (200, "content_filter", None),
        (200, INVALID, None),
        (200, RATE, False),
        (200, "engine_overloaded_error", False),
    ],
)
def test_what_may_have_been_generated_may_cost(
    status: int, kind: str, charged: bool | None
) -> None:
    assert error_of(status, body(kind, "x")).charged is charged


@pytest.mark.parametrize(
    ("words", "retried"),
    [
        ("on requests per day (RPD): Limit 10000. Please try again in 8.64s.", True),
        ("on tokens per day (TPD): Limit 100000. Please try again in 1h53m56.8s.", False),
        ("reached organization max TPD: 1500000", False),
    ],
)
def test_a_days_limit_is_waited_for_only_where_it_is_soon_free(words: str, retried: bool) -> None:
    error = error_of(429, body(RATE, words))
    assert type(error) is UsedUpError
    assert error.retryable is retried


def test_an_endpoint_without_a_name_of_its_own_is_named_by_its_url() -> None:
    facts = resolve("kimi-k3", match_endpoint(CATALOG, "http://127.0.0.1:8000/v1"))
    error = convert_error(500, {}, "oops", facts=facts, call="")
    assert error.message == "http://127.0.0.1:8000/v1 answered 500: oops"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "HTTP 500"),
        ("plain text", "plain text"),
        ('"a JSON string"', "a JSON string"),
        ("[1, 2]", "HTTP 500"),
        ('{"error": "a string"}', "a string"),
        ('{"error": null}', "HTTP 500"),
        ('{"message": "at the top"}', "at the top"),
        ("{}", "HTTP 500"),
        ("<html><TITLE>Bad Gateway</TITLE>", "Bad Gateway"),
        ("<html>no title", "<html>no title"),
        ("\x1b[31mred\x07\n\ttext\u202e", "[31mred text"),
        ("x" * 1000, "x" * 399 + "…"),
        (json.dumps(body("", "x" * 1000)), "x" * 399 + "…"),
    ],
)
def test_the_text_that_is_shown(text: str, shown: str) -> None:
    assert error_of(500, text).message == f"moonshot-ai answered 500: {shown}"


def test_status_kind_and_wait_are_kept() -> None:
    error = error_of(429, body(RATE, "RPM"), **{"retry-after": "7"})
    assert (error.status, error.kind, error.retry_after) == (429, RATE, 7.0)


@settings(deadline=None)
@given(st.integers(100, 599), st.text() | st.binary().map(lambda b: b.decode("utf-8", "replace")))
def test_any_answer_is_an_error_in_one_bounded_line(status: int, text: str) -> None:
    error = error_of(status, text)
    assert isinstance(error, ServiceError)
    assert "\n" not in error.message
    assert len(error.message) < 500


WORD = st.text(string.ascii_letters + string.digits + "_-", min_size=12, max_size=60)
AROUND = st.sampled_from(["", " ", "'", '"', ":", "<", "Bearer ", "(", "=", "_", "，", "\n", "."])


@settings(deadline=None)
@given(WORD, st.sampled_from(["sk-", "org-", "ak-"]), AROUND, AROUND, st.integers(0, 380))
def test_no_key_and_no_account_is_shown(
    secret: str, prefix: str, before: str, after: str, offset: int
) -> None:
    shown = service_text("x " * (offset // 2) + before + prefix + secret + after)
    for length in range(6, len(secret) + 1):
        for start in range(len(secret) - length + 1):
            part = secret[start : start + length]
            if len(set(part)) > 2:
                assert part not in shown


def test_redaction_leaves_other_words_alone() -> None:
    text = "task-force disk-based mask-1 forg-etful break-down"
    assert service_text(text) == text
    assert service_text("keys start with sk- here") == "keys start with sk- here"


def test_a_short_key_shows_nothing() -> None:
    assert service_text("sk-abcd") == "sk-…"
    assert service_text("sk-0123456789abcdef") == "sk-…cdef"
    assert service_text("org-1<ak-2>") == "org-…<ak-…>"


@pytest.mark.parametrize(
    ("header", "text", "expected"),
    [
        ("7", "", 7.0),
        ("0", "after 9 seconds", 0.0),
        ("1.5", "", 1.5),
        (" 3 ", "", 3.0),
        ("", "please try again after 1 seconds", 1.0),
        ("", "try again in 250ms", 0.25),
        ("", "try again in 250 milliseconds", 0.25),
        ("", "Try again In 2 Minutes", 120.0),
        ("", "after 1 hour", 3600.0),
        ("", "after 3s", 3.0),
        ("", "after 1 second.", 1.0),
        ("", "after 2.5 s", 2.5),
        ("", "later", None),
        ("", "after 3 secondhand", None),
        ("soon", "after 4 seconds", 4.0),
        ("-1", "", None),
        ("1e9", "", None),
        ("99999999999", "", None),
    ],
)
def test_waits(header: str, text: str, expected: float | None) -> None:
    headers = {"retry-after": header} if header else {}
    assert wait_seconds(headers, text) == expected


def test_a_wait_until_a_date() -> None:
    soon = wait_seconds({"retry-after": formatdate(time.time() + 60, usegmt=True)}, "")
    assert soon is not None
    assert 55 < soon <= 60
    assert wait_seconds({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, "") == 0.0
    assert wait_seconds({"retry-after": "Wed, 21 Oct 99999 07:28:00 GMT"}, "after 2 s") == 2.0


@settings(deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_a_wait_is_never_negative_and_never_an_error(header: str, text: str) -> None:
    wait = wait_seconds({"retry-after": header}, text)
    assert wait is None or wait >= 0


def test_hints_of_endpoints_and_models() -> None:
    def hint(status: int, model: str, endpoint: str) -> str:
        row = CATALOG.endpoint(endpoint)
        assert row is not None
        facts = resolve(model, row)
        return convert_error(status, {}, "", facts=facts, call="").remedy

    assert "https://api.moonshot.ai/v1" in hint(401, "kimi-k3", "moonshot-cn")
    assert "openrouter.ai" in hint(401, "kimi-k3", "openrouter")
    assert hint(401, "kimi-k3", "cliproxy").startswith("cliproxy requires a key")
    assert "retired on 2026-08-31" in hint(404, "kimi-k2.5", "moonshot-ai")
    assert "available only as open weights" in hint(404, "kimi-k2-instruct", "moonshot-ai")
    assert "higher tier" in hint(404, "kimi-k3", "moonshot-ai")


def test_limits_in_headers() -> None:
    stated = {"x-ratelimit-limit-requests": "600", "x-ratelimit-limit-tokens": "2000000"}
    assert stated_limits(stated) == {"rpm": 600, "tpm": 2_000_000}
    for nonsense in ("", "0", "-3", "1.5", "many", "9" * 20, "١٢"):
        assert stated_limits({"x-ratelimit-limit-requests": nonsense}) == {}


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [("7", 7.0), ("1.5", 1.5), ("1m30s", 90.0), ("250ms", 0.25), ("soon", None), ("", None)],
)
def test_the_wait_of_a_header(reset: str, seconds: float | None) -> None:
    headers = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": reset}
    assert wait_seconds(headers, "slow down") == seconds
    assert wait_seconds({**headers, "retry-after": "3"}, "slow down") == 3.0
    assert wait_seconds({"x-ratelimit-reset-tokens": reset}, "slow down") is None
