"""Rate limits, as windows alone and over the wire."""

from __future__ import annotations

import threading
from collections.abc import Callable

import httpx
import pytest

from amx_kimi.sandbox.limits import Limiter
from amx_kimi.sandbox.rows import Tier

from .helpers import Client, ask

Start = Callable[..., Client]


def error(answer: httpx.Response) -> tuple[int, str, str]:
    body = answer.json()["error"]
    return answer.status_code, body["type"], body["message"]


def test_windows_slide() -> None:
    limiter = Limiter()
    tier = Tier(rpm=2)
    assert limiter.enter(tier, 0.0, 60, 1) is None
    assert limiter.enter(tier, 10.0, 60, 1) is None
    hit = limiter.enter(tier, 20.0, 60, 1)
    assert hit is not None
    assert (hit.name, hit.limit, hit.wait) == ("RPM", 2, 40.0)
    assert limiter.enter(tier, 60.0, 60, 1) is None
    assert limiter.enter(tier, 60.0, 60, 1) is not None


def test_tokens_are_charged_up_front() -> None:
    limiter = Limiter()
    tier = Tier(tpm=100, tpd=250)
    for now in (0.0, 60.0):
        assert limiter.enter(tier, now, 60, 100) is None
        hit = limiter.enter(tier, now + 1, 60, 1)
        assert hit is not None
        assert (hit.name, hit.wait) == ("TPM", 59.0)
    hit = limiter.enter(tier, 120.0, 60, 100)
    assert hit is not None
    assert (hit.name, hit.wait) == ("TPD", 86_400 - 120.0)
    too_much = limiter.enter(Tier(tpm=100), 500.0, 60, 101)
    assert too_much is not None
    assert too_much.wait == 60


def test_concurrency_counts_what_is_under_way() -> None:
    limiter = Limiter()
    assert limiter.enter(Tier(concurrency=1), 0, 60, 1) is None
    hit = limiter.enter(Tier(concurrency=1), 0, 60, 1)
    assert hit is not None
    assert hit.name == "concurrency"
    limiter.leave()
    assert limiter.enter(Tier(concurrency=1), 0, 60, 1) is None
    assert limiter.peak == 1


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"rpm": 1}, "max RPM: 1, please try again after 60 seconds"),
        ({"tpm": 40_000}, "max TPM: 40000, please try again after 60 seconds"),
        ({"tpd": 40_000}, "max TPD: 40000, please try again after 86400 seconds"),
    ],
)
def test_a_limit_is_named_with_its_wait(start: Start, options: dict[str, int], text: str) -> None:
    client = start(**options)
    assert client.chat().status_code == 200
    answer = client.chat()
    status, kind, message = error(answer)
    assert (status, kind) == (429, "rate_limit_reached_error")
    assert message.startswith("Your account org-")
    assert message.endswith(text)
    assert int(answer.headers["retry-after"]) >= 60
    totals = client.sandbox.totals
    assert (totals.requests, totals.answered, totals.rejected) == (2, 1, 1)
    assert client.sandbox.chats[-1].cost == 0


def test_figures_and_the_header_can_be_left_out(start: Start) -> None:
    client = start(rpm=1, limit_figures=False, retry_after=False)
    client.chat()
    answer = client.chat()
    assert error(answer)[2].endswith("reached organization max RPM, please try again later")
    assert "retry-after" not in answer.headers


def test_the_tier_limits_and_a_number_goes_over_it(start: Start) -> None:
    client = start(tier=0)
    assert [client.chat().status_code for _ in range(4)] == [200, 200, 200, 429]
    client.sandbox.set(rpm=10)
    assert client.chat().status_code == 200
    client.sandbox.reset()
    client.sandbox.set(tier=None, rpm=None)
    assert [client.chat().status_code for _ in range(4)] == [200] * 4


def test_a_place_is_free_once_the_answer_has_ended(start: Start) -> None:
    client = start(concurrency=1)
    for _ in range(30):
        client.stream()
    assert client.sandbox.totals.answered == 30


def test_too_many_at_once(start: Start) -> None:
    client = start(concurrency=1, latency=0.3)
    statuses: list[int] = []

    def call() -> None:
        answer = httpx.post(
            client.sandbox.url + "/chat/completions", json=ask(), headers=client.http.headers
        )
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 429, 429]
    assert client.sandbox.totals.peak == 1


def test_no_balance_is_its_own_429(start: Start) -> None:
    client = start(balance=0.0)
    assert error(client.chat())[:2] == (429, "exceeded_current_quota_error")
