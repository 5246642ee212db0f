"""How long to wait, in all the ways that services say it."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amx_kimi.client.waits import limit_of, wait_seconds

TEXTS = [
    ("please try again after 1 seconds", 1.0),
    ("Please try again in 20ms. Visit", 0.02),
    ("Please try again in 1m26.4s. Need more tokens?", 86.4),
    ("Please try again in 1h53m56.832s.", 6836.832),
    ("try again in 6m0s", 360.0),
    ("retry in 2 hours and 5 minutes", 7500.0),
    ("Please retry after 22 seconds.", 22.0),
    ("please wait 3 minutes", 180.0),
    ('"retryDelay": "26s"', 26.0),
    ("请在 30 秒后重试", 30.0),
    ("Try again in 60 seconds. Passed model=k", 60.0),
    ("300 requests in 5 hours are allowed", None),
    ("try again later", None),
    ("in 1710000000 rows", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "seconds"), TEXTS)
def test_by_its_text(text: str, seconds: float | None) -> None:
    found = wait_seconds({}, text)
    assert found == (None if seconds is None else pytest.approx(seconds))


def ahead(hours: float) -> float:
    return time.time() + hours * 3600


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"x-ratelimit-reset": "60", "x-ratelimit-remaining": "5"}, None),
        ({"x-ratelimit-reset-tokens": "6m0s", "x-ratelimit-remaining-tokens": "0"}, 360.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "-3"}, None),
    ],
)
def test_by_its_headers(headers: dict[str, str], seconds: float | None) -> None:
    found = wait_seconds(headers, "")
    assert found == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("retry-after", lambda at: formatdate(at, usegmt=True)),
        ("x-ratelimit-reset", lambda at: f"{at * 1000:.0f}"),
        ("x-ratelimit-reset", lambda at: f"{at:.0f}"),
    ],
)
def test_by_a_moment_in_its_headers(name: str, written: Callable[[float], str]) -> None:
    found = wait_seconds({name: written(ahead(7)), "x-ratelimit-remaining": "0"}, "")
    assert found == pytest.approx(25_200, abs=600)


def test_by_a_date_in_its_text() -> None:
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(ahead(3)))
    assert wait_seconds({}, f"Limit resets at: {at} UTC") == pytest.approx(10_800, abs=600)
    assert wait_seconds({}, f"created {at}") is None


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("request reached organization max RPM: 3, please", ("rpm", 3)),
        ("max concurrency: 50", ("concurrency", 50)),
        ("request reached project TPM rate limit, current: 1410, limit: 100, see", ("tpm", 100)),
        ("on tokens per minute (TPM): Limit 6000, Used 5900", ("tpm", 6000)),
        ("max TPM", ("tpm", None)),
        ("something else", ("", None)),
    ],
)
def test_which_limit(text: str, limit: tuple[str, int | None]) -> None:
    assert limit_of({}, text) == limit


@given(st.text(max_size=200), st.text(max_size=40))
def test_no_text_is_too_odd(text: str, header: str) -> None:
    headers = dict.fromkeys(("retry-after", "retry-after-ms", "x-ratelimit-reset"), header)
    found = wait_seconds({**headers, "x-ratelimit-remaining": "0"}, text)
    assert found is None or 0 <= found <= 366 * 86_400
