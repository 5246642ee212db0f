"""Each way in which the service or the network fails: what is retried, what is raised."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from decimal import Decimal
from email.utils import formatdate
from time import monotonic, time
from typing import Any

import pytest

from amx_kimi.client import KimiClient, bounds
from amx_kimi.errors import (
    AccessError,
    AuthenticationError,
    BrokenStreamError,
    ContentFilterError,
    KimiError,
    ModelNotFoundError,
    NotAnApiError,
    OverloadedError,
    QuotaError,
    RateLimitError,
    ServerError,
    ServiceError,
    SilenceError,
    UnreachableError,
    UsedUpError,
)
from amx_kimi.sandbox import Sandbox
from amx_kimi.sandbox.faults import ANSWER_FAULTS, KINDS

from .helpers import (
    KEY,
    QUICK,
    Memory,
    Scripted,
    ask,
    chat,
    describe,
    piece,
    profile,
    response,
    stream,
    with_client,
)

Start = Callable[..., Sandbox]

RETRIED = {
    "overload": ("OverloadedError", OverloadedError),
    "rate": ("RateLimitError", RateLimitError),
    "500": ("ServerError", ServerError),
    "503": ("ServerError", ServerError),
    "504html": ("ServerError", ServerError),
    "reset-before": ("BrokenStreamError", BrokenStreamError),
    "reset-between": ("BrokenStreamError", BrokenStreamError),
    "reset-within": ("BrokenStreamError", BrokenStreamError),
    "no-done": ("BrokenStreamError", BrokenStreamError),
    "stall": ("SilenceError", SilenceError),
}
FINAL = {
    "unauthorized": AuthenticationError,
    "forbidden": AccessError,
    "filter": ContentFilterError,
    "quota": QuotaError,
    "tpd": UsedUpError,
}
USABLE = {*ANSWER_FAULTS, "drip"}
FAST = {"retry_after": False, "limit_figures": False}


def test_no_kind_of_fault_is_forgotten_here() -> None:
    assert set(KINDS) == set(RETRIED) | set(FINAL) | USABLE


@pytest.mark.parametrize("fault", sorted(RETRIED))
def test_what_may_pass_is_tried_until_it_does(
    start_sandbox: Start, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    if fault == "stall":
        monkeypatch.setenv("AMX_LLM_TIMEOUT_SEC", "0.4")
    sandbox = start_sandbox(faults=f"{fault}@1-2", **FAST)
    reply = chat(profile(sandbox.url), ask(describe()))
    assert reply.finish_reason == "stop"
    name = RETRIED[fault][0]
    assert [a.outcome for a in reply.attempts] == [name, name, "ok"]
    assert [a.reason for a in reply.attempts] == ["first", name, name]
    assert [a.number for a in reply.attempts] == [1, 2, 3]


@pytest.mark.parametrize("fault", sorted(RETRIED))
def test_and_raised_when_it_does_not(
    start_sandbox: Start, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    if fault == "stall":
        monkeypatch.setenv("AMX_LLM_TIMEOUT_SEC", "0.4")
    sandbox = start_sandbox(faults=f"{fault}@1-", **FAST)
    with pytest.raises(RETRIED[fault][1]) as caught:
        chat(profile(sandbox.url), ask(label="orders"), retries=1, patience=0.1)
    assert "orders, kimi-k2-thinking" in str(caught.value)


@pytest.mark.parametrize("fault", sorted(FINAL))
def test_what_cannot_pass_is_not_tried_again(start_sandbox: Start, fault: str) -> None:
    sandbox = start_sandbox(faults=f"{fault}@1-")
    memory = Memory()

    async def use(client: Any) -> None:
        client.record_with(memory, "r1")
        await client.chat(ask())

    with pytest.raises(FINAL[fault]) as caught:
        with_client(profile(sandbox.url), use)
    assert len(sandbox.chats) == 1
    assert not caught.value.retryable
    assert caught.value.remedy
    assert memory.settled[1].outcome == FINAL[fault].__name__
    assert memory.settled[1].cost == 0


@pytest.mark.parametrize("fault", sorted(USABLE))
def test_an_answer_that_arrives_whole_is_returned_as_it_is(
    start_sandbox: Start, fault: str
) -> None:
    sandbox = start_sandbox(faults=f"{fault}@1", thinking_base=10)
    reply = chat(profile(sandbox.url), ask(describe(), max_tokens=33_000))
    assert len(reply.attempts) == (2 if fault == "length-empty" else 1)
    assert reply.cost == sandbox.totals.cost
    expected = "length" if fault in ("length", "endless") else "stop"
    assert reply.finish_reason == expected


def test_a_broken_attempt_counts_at_its_worst_case(start_sandbox: Start) -> None:
    sandbox = start_sandbox(faults="reset-between@1")
    memory = Memory()

    async def use(client: KimiClient) -> Decimal:
        client.record_with(memory, "r1")
        reply = await client.chat(ask())
        assert reply.cost is None
        assert not reply.usage.known
        return client.budget.spent

    spent = with_client(profile(sandbox.url), use)
    worst = memory.begun[0]["worst"]
    assert memory.settled[1].cost is None
    assert spent == worst + memory.settled[2].cost
    assert sandbox.totals.cost < spent


def test_a_balance_that_is_used_up(start_sandbox: Start) -> None:
    sandbox = start_sandbox(balance=0.0)
    with pytest.raises(QuotaError, match="suspended") as caught:
        chat(profile(sandbox.url))
    assert "Recharge" in caught.value.remedy
    assert len(sandbox.chats) == 1


@pytest.mark.parametrize(("endpoint", "other"), [("moonshot-ai", "cn"), ("moonshot-cn", "ai")])
def test_a_401_explains_the_two_regions(start_sandbox: Start, endpoint: str, other: str) -> None:
    sandbox = start_sandbox(keys=("sk-of-somebody-else",))
    with pytest.raises(AuthenticationError) as caught:
        chat(profile(sandbox.url, endpoint=endpoint))
    assert f"https://api.moonshot.{other}/v1" in caught.value.remedy
    assert "sk-" in caught.value.remedy
    assert "platform.kimi." in caught.value.remedy


def test_a_401_elsewhere_names_its_api_base(start_sandbox: Start) -> None:
    with pytest.raises(AuthenticationError, match=r"api_base http://127\.0\.0\.1"):
        chat(profile(start_sandbox(keys=("sk-x",)).url))


def test_a_401_where_no_key_was_sent(start_sandbox: Start) -> None:
    sandbox = start_sandbox(keys=("sk-x",))
    with pytest.raises(AuthenticationError, match="cliproxy requires a key") as caught:
        chat(profile(sandbox.url, endpoint="cliproxy"))
    assert "auth: none" in caught.value.remedy
    assert len(sandbox.chats) == 1


@pytest.mark.parametrize(
    ("model", "hint"),
    [
        ("kimi-k2-thinking", "was retired on 2026-05-25 .* successor is kimi-k3"),
        ("kimi-k2", "is available only as open weights .* successor is kimi-k2.6"),
        ("kimi-k9", "some need a higher tier"),
    ],
)
def test_a_404_names_retirement_and_successor(start_sandbox: Start, model: str, hint: str) -> None:
    sandbox = start_sandbox(models=("kimi-k3",))
    with pytest.raises(ModelNotFoundError, match=hint):
        chat(profile(sandbox.url, model, endpoint="moonshot-ai"))
    assert len(sandbox.chats) == 1


def test_the_seconds_in_the_header_and_in_the_text_are_waited(start_sandbox: Start) -> None:
    for options in ({"retry_after": True}, {"retry_after": False}):
        sandbox = start_sandbox(faults="rate@1", minute=60.0, **options)
        chat(profile(sandbox.url))
        first, second = sandbox.chats
        assert 0.9 < second.at - first.at < 10


def header(wait: str | int) -> str:
    """A Retry-After: text as it is, a number as a date so many seconds from now."""
    return wait if isinstance(wait, str) else formatdate(time() + wait, usegmt=True)


@pytest.mark.parametrize("wait", ["0", "0.1", -9])
def test_short_waits_are_kept(wait: str | int) -> None:
    busy = response({"error": {"type": "engine_overloaded_error"}}, 429, retry_after=header(wait))
    with Scripted(busy, stream(piece("Hi", "stop"))) as server:
        begun = monotonic()
        chat(profile(server.url))
        assert monotonic() - begun < 5
        assert len(server.requests) == 2


@pytest.mark.parametrize("wait", ["301", "99999", 7200])
def test_a_wait_of_many_minutes_is_reported_instead(wait: str | int) -> None:
    busy = response({"error": {"type": "rate_limit_reached_error"}}, 429, retry_after=header(wait))
    with Scripted(busy) as server, pytest.raises(RateLimitError) as caught:
        chat(profile(server.url))
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 300
    assert len(server.requests) == 1


def test_rate_limits_do_not_count_as_failures(start_sandbox: Start) -> None:
    sandbox = start_sandbox(faults="rate@1-8,500@9", **FAST)
    reply = chat(profile(sandbox.url), retries=1, backoff=QUICK / 10)
    outcomes = [attempt.outcome for attempt in reply.attempts]
    assert outcomes == [*["RateLimitError"] * 8, "ServerError", "ok"]


def test_the_waiting_for_rate_limits_is_bounded_in_all() -> None:
    limit = {"error": {"type": "rate_limit_reached_error"}}
    for wait, requests in (("0.2", 3), ("2", 1)):
        script = response(limit, 429, retry_after=wait)
        with Scripted(script) as server, pytest.raises(RateLimitError) as caught:
            chat(profile(server.url), patience=0.5, backoff=0.0)
        assert len(server.requests) == requests
        assert caught.value.stops_run


def test_the_pauses_between_rate_limits_grow() -> None:
    limit = {"error": {"type": "rate_limit_reached_error"}}
    with Scripted(response(limit, 429)) as server, pytest.raises(RateLimitError):
        chat(profile(server.url), patience=0.3, backoff=QUICK)
    assert len(server.requests) in (5, 6)


def test_a_reached_limit_holds_everybody(start_sandbox: Start) -> None:
    sandbox = start_sandbox(faults="rate@1", **FAST)

    async def use(client: KimiClient) -> float:
        await client.chat(ask())
        return client._limiter.state.cooling_until

    assert with_client(profile(sandbox.url), use) > 0
    sandbox = start_sandbox(faults="overload@1", **FAST)
    assert with_client(profile(sandbox.url), use) < 0


def test_no_account_and_no_key_reaches_messages_or_logs(caplog: pytest.LogCaptureFixture) -> None:
    canary = "sk-canary-canary-canary-0000"
    account = "org-1234567890abcdef<ak-fedcba0987654321>"
    text = f"Your account {account} with key {canary} reached organization max RPM: 3"
    limit = {"error": {"type": "rate_limit_reached_error", "message": text}}
    with (
        caplog.at_level(logging.DEBUG),
        Scripted(response(limit, 429)) as server,
        pytest.raises(RateLimitError) as caught,
    ):
        chat(profile(server.url, api_key=canary), patience=0.0)
    shown = str(caught.value) + repr(caught.value) + caplog.text
    assert "org-…<ak-…>" in shown
    assert "RateLimitError" in caplog.text
    for secret in ("1234567890", "fedcba", "canary-canary", KEY):
        assert secret not in shown


def test_nobody_there() -> None:
    with Scripted(stream()) as server:
        pass
    with pytest.raises(UnreachableError) as caught:
        chat(profile(server.url))
    assert caught.value.charged is False
    assert "HTTPS_PROXY" in caught.value.remedy
    with pytest.raises(UnreachableError):
        with_client(profile(server.url), lambda client: client.models())


def test_an_unreachable_endpoint_is_tried_thrice_and_costs_nothing() -> None:
    memory = Memory()
    with Scripted(stream()) as server:
        pass

    async def use(client: Any) -> None:
        client.record_with(memory, "r1")
        await client.chat(ask())

    with pytest.raises(UnreachableError):
        with_client(profile(server.url), use)
    assert [a.cost for a in memory.settled.values()] == [0, 0, 0]


@pytest.mark.parametrize(
    "data",
    [
        '{"choices": [{"delta": {"cont',
        "[1, 2]",
        '"text"',
        "<html>",
        '{"choices": ["x"]}',
        "[" * 9999,
    ],
)
def test_a_chunk_that_is_none(data: str) -> None:
    with (
        Scripted(stream(piece("Hi"), data)) as server,
        pytest.raises(BrokenStreamError, match="not a chat completion"),
    ):
        chat(profile(server.url), retries=1)
    assert len(server.requests) == 2


def test_half_an_event_at_the_end_is_broken() -> None:
    script = [*stream(piece("Hi"), done=False), b'data: {"choices": [{"del']
    with Scripted(script) as server, pytest.raises(BrokenStreamError, match=r"before \[DONE\]"):
        chat(profile(server.url), retries=0)


def test_a_page_instead_of_an_answer() -> None:
    with (
        Scripted(response("<html>Welcome</html>")) as server,
        pytest.raises(NotAnApiError, match=r"a web page \(<html>Welcome</html>\)"),
    ):
        chat(profile(server.url))
    assert len(server.requests) == 1


def test_an_event_stream_in_another_disguise_is_broken() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; text/event-stream\r\n\r\n"
    with Scripted([head, b"data: [DONE]\n\n"]) as server, pytest.raises(BrokenStreamError):
        chat(profile(server.url), retries=0)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("rate_limit_reached_error", RateLimitError),
        ("exceeded_current_quota_error", QuotaError),
        ("engine_overloaded_error", OverloadedError),
        ("content_filter", ContentFilterError),
        ("server_error", ServerError),
        ("", ServerError),
    ],
)
def test_an_error_inside_a_stream(kind: str, error: type[KimiError]) -> None:
    late = {"error": {"type": kind, "message": "please try again later"}}
    with Scripted(stream(piece("Hi"), late)) as server, pytest.raises(error) as caught:
        chat(profile(server.url), retries=1, patience=0.0)
    again = error.retryable and not error.limit_hit
    assert len(server.requests) == (2 if again else 1)
    limited = error in (RateLimitError, QuotaError, OverloadedError)
    assert caught.value.charged is (False if limited else None)


@pytest.mark.parametrize(
    "script",
    [
        stream(piece("Hi"), {"error": {"type": "server_error", "message": "x"}}),
        response("<html>504</html>", 504),
    ],
    ids=["late", "504"],
)
def test_what_may_have_been_generated_counts_at_its_worst_case(script: list[bytes]) -> None:
    memory = Memory()

    async def use(client: KimiClient) -> Decimal:
        client.record_with(memory, "r1")
        with pytest.raises(ServerError):
            await client.chat(ask())
        return client.budget.spent

    own = {"custom_input_cost_per_mtok": 1.0, "custom_output_cost_per_mtok": 2.0}
    with Scripted(script) as server:
        spent = with_client(profile(server.url, **own), use, retries=0)
    assert memory.settled[1].cost is None
    assert spent == memory.begun[0]["worst"] > 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(start_sandbox: Start, status: int) -> None:
    elsewhere = start_sandbox()
    script = response("", status, location=f"{elsewhere.url}/chat/completions")
    with Scripted(script) as server, pytest.raises(ServiceError, match="correct api_base"):
        chat(profile(server.url))
    assert len(server.requests) == 1
    assert elsewhere.seen == []


def test_an_endless_answer_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "_MOST_BYTES", 100_000)

    def endless(connection: Any) -> None:
        head, event, *_ = stream(piece("again and again"))
        connection.sendall(head)
        while True:
            connection.sendall(event)

    with Scripted(endless) as server, pytest.raises(BrokenStreamError):
        chat(profile(server.url), retries=0)
    with Scripted(response("x" * 200_000)) as server, pytest.raises(BrokenStreamError):
        chat(profile(server.url), retries=0)


def test_an_endless_error_is_bounded() -> None:
    def endless(connection: Any) -> None:
        connection.sendall(b"HTTP/1.1 500 Oops\r\nContent-Type: text/plain\r\n\r\n")
        while True:
            connection.sendall(b"and more " * 1000)

    with Scripted(endless) as server, pytest.raises(ServerError) as caught:
        chat(profile(server.url), retries=0)
    assert len(str(caught.value)) < 1000


def test_an_answer_that_drips_for_ever_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMX_KIMI_TOTAL_TIMEOUT_SEC", "0.3")
    monkeypatch.setenv("AMX_LLM_TIMEOUT_SEC", "5")
    over = threading.Event()

    def drip(connection: Any) -> None:
        head, event, *_ = stream(piece("."))
        connection.sendall(head)
        while not over.wait(0.01):
            connection.sendall(event)

    with Scripted(drip) as server:
        with pytest.raises(SilenceError, match=r"longer than 0\.3 seconds in total") as caught:
            chat(profile(server.url), retries=0)
        over.set()
    assert "AMX_KIMI_TOTAL_TIMEOUT_SEC" in caught.value.remedy


def test_silence_names_its_setting(start_sandbox: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMX_LLM_TIMEOUT_SEC", "0.1")
    sandbox = start_sandbox(latency=30.0)
    with pytest.raises(SilenceError, match="AMX_LLM_TIMEOUT_SEC") as caught:
        chat(profile(sandbox.url), retries=0)
    assert caught.value.charged is None

    def say_nothing(connection: Any) -> None:
        connection.recv(1)

    with Scripted(say_nothing) as server, pytest.raises(SilenceError, match="did not answer"):
        with_client(profile(server.url), lambda client: client.models())


def test_a_refused_list_of_models_is_the_same_error(start_sandbox: Start) -> None:
    with pytest.raises(AuthenticationError):
        with_client(profile(start_sandbox(keys=("sk-x",)).url), lambda client: client.models())


def test_seeded_chaos_ends_well(start_sandbox: Start) -> None:
    faults = "overload:0.1,500:0.1,reset-between:0.1,reset-before:0.1,no-done:0.1"
    sandbox = start_sandbox(faults=faults, seed=7, **FAST)

    async def use(client: Any) -> list[str]:
        return [(await client.chat(ask())).content for _ in range(30)]

    assert all(with_client(profile(sandbox.url), use, retries=20, backoff=QUICK / 10))
    assert sandbox.totals.failed
