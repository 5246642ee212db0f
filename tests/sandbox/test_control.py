"""Options, the control endpoint, what is remembered, and the sandbox as a process."""

from __future__ import annotations

import dataclasses
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

import amx_kimi.sandbox
from amx_kimi.sandbox import Options, Sandbox

from .helpers import KEY, Client, contract

Start = Callable[..., Client]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"tier": 6}, "tier"),
        ({"tier": "1"}, "tier"),
        ({"rpm": 0}, "rpm"),
        ({"minute": 0}, "minute"),
        ({"minute": float("nan")}, "minute"),
        ({"latency": -1.0}, "latency"),
        ({"latency": float("inf")}, "latency"),
        ({"region": "moon"}, "region"),
        ({"usage_shape": "round"}, "usage_shape"),
        ({"keys": "sk-a"}, "keys"),
        ({"keys": (1,)}, "keys"),
        ({"auth": 1}, "auth"),
        ({"chunks": True}, "chunks"),
        ({"port": 70_000}, "port"),
        ({"thinking_spread": 1.5}, "thinking_spread"),
        ({"balance": float("nan")}, "balance"),
        ({"faults": "fire@1"}, "faults"),
    ],
)
def test_options_name_what_is_wrong(changes: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}: "):
        Options(**changes)


def test_every_option_has_a_default_and_a_help() -> None:
    for field in dataclasses.fields(Options):
        assert field.default is not dataclasses.MISSING
        assert field.metadata["help"]


def test_the_package_exports_its_names() -> None:
    assert all(getattr(amx_kimi.sandbox, name) for name in amx_kimi.sandbox.__all__)
    with pytest.raises(AttributeError):
        _ = amx_kimi.sandbox.nothing


def test_options_by_the_control_endpoint(client: Client) -> None:
    answer = client.post("/_sandbox", {"rpm": 1, "keys": [KEY], "faults": ["500@1", "empty@2"]})
    options = answer.json()["options"]
    assert (options["rpm"], options["keys"]) == (1, ["sk-…6789"])
    assert client.sandbox.options.faults == "500@1,empty@2"
    assert [client.chat().status_code for _ in range(3)] == [500, 200, 429]
    totals = client.get("/_sandbox").json()["totals"]
    assert (totals["requests"], totals["answered"], totals["rejected"]) == (3, 1, 1)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"speed": 1}, "speed: no such option"),
        ({"rpm": "3"}, "rpm: '3' is not a int or null"),
        ({"port": 99}, "port: cannot change"),
        (["rpm"], "not a JSON object"),
    ],
)
def test_bad_changes_change_nothing(client: Client, body: Any, text: str) -> None:
    before = client.sandbox.options
    answer = client.post("/_sandbox", body)
    assert answer.status_code == 400
    assert text in answer.json()["error"]["message"]
    assert client.sandbox.options is before


def test_the_control_endpoint_hides_keys_and_forgets(client: Client) -> None:
    client.chat(user=contract("id"))
    answer = client.get("/_sandbox/requests")
    assert KEY not in answer.text
    (seen,) = answer.json()
    assert (seen["key"], seen["status"], seen["method"]) == ("sk-…6789", 200, "POST")
    assert seen["body"]["model"] == "kimi-k2-0905-preview"
    client.http.delete(client.sandbox.root + "/_sandbox")
    assert client.sandbox.seen == []
    assert client.sandbox.totals.requests == 0
    assert client.get("/_sandbox/what").status_code == 404


def test_what_is_seen(client: Client) -> None:
    client.chat(user="Hi", seed=5)
    client.get("/v1/models")
    chat, models = client.sandbox.seen
    assert client.sandbox.chats == [chat]
    assert (chat.key, chat.path, chat.finish_reason) == (KEY, "/v1/chat/completions", "stop")
    assert chat.body is not None
    assert chat.body["seed"] == 5
    assert chat.headers["authorization"] == f"Bearer {KEY}"
    assert (models.body, models.usage, models.status) == (None, None, 200)
    assert chat.at <= models.at


def test_memory_is_bounded(start: Start) -> None:
    client = start(keep=2, keep_bodies=False)
    for _ in range(4):
        client.chat()
    assert [seen.body for seen in client.sandbox.seen] == [None, None]
    assert client.sandbox.totals.requests == 4


def test_models_and_balance(start: Start) -> None:
    client = start(balance=10.0)
    items = {item["id"]: item for item in client.get("/v1/models").json()["data"]}
    assert items["kimi-k2.6"]["context_length"] == 262_144
    assert items["kimi-k3"]["supports_reasoning"] is True
    assert items["moonshot-v1-8k"]["supports_image_in"] is False
    assert "kimi-for-coding" not in items
    assert client.get("/v1/users/me/balance").json()["data"]["available_balance"] == 10.0
    client.chat(user=contract("id"), model="kimi-k3")
    spent = 10 - client.get("/v1/users/me/balance").json()["data"]["available_balance"]
    client.sandbox.set(region="cn")
    in_yuan = 10 - client.get("/v1/users/me/balance").json()["data"]["available_balance"]
    assert in_yuan == pytest.approx(7 * spent, rel=0.01)


def test_it_can_be_asked_after_its_end() -> None:
    with Sandbox() as sandbox:
        url = sandbox.url
    assert url.startswith("http://127.0.0.1:")
    assert sandbox.seen == []
    with sandbox:
        assert sandbox.totals.requests == 0


def test_a_taken_port_is_an_error() -> None:
    with Sandbox() as sandbox:
        port = int(sandbox.root.rpartition(":")[2])
        with pytest.raises(OSError, match=str(port)), Sandbox(Options(port=port)):
            pass


PROGRAM = """
from amx_kimi.sandbox import Options, serve
serve(Options(), ready=lambda url: print(url, flush=True))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_ends_cleanly_on_a_signal(number: signal.Signals) -> None:
    command = [sys.executable, "-W", "error", "-c", PROGRAM]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = process.stdout.readline().decode().strip()
        port = int(url.removesuffix("/v1").rpartition(":")[2])
        socket.create_connection(("127.0.0.1", port)).close()
        process.send_signal(number)
        assert process.wait(timeout=10) == 0
        assert process.stderr.read() == b""
