"""The defects of AMX for kimi, each shown on plain AMX 0.19.0, and gone with the plugin.

docs/amx.md has the table; each test bears the number of its row.
"""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from amx_kimi.sandbox import Sandbox
from tests.conftest import KEY
from tests.consumers.amx.run import environment

CALLS = Path(__file__).with_name("calls.py")
OTHER = "sk-other-0123456789abcdef"
CALLED = {"name": "look", "arguments": "{}"}
OPENAI = "sk-openai-0123456789abcdef"
Start = Callable[..., Sandbox]


class Sides(NamedTuple):
    """What came of the same calls: without the plugin, and with it."""

    plain: list[dict[str, Any]]
    kimi: list[dict[str, Any]]


@pytest.fixture
def both(amx_python: Path, home: Path) -> Callable[..., Sides]:
    """Make calls on plain AMX, then on AMX with the plugin, each in a process of its own."""
    home.mkdir()

    def run(*steps: dict[str, Any], **env: str) -> Sides:
        sides = []
        for arguments in ([], ["kimi"]):
            done = subprocess.run(
                [str(amx_python), str(CALLS), *arguments],
                input=json.dumps(steps),
                env=environment(amx_python, **env),
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            sides.append(json.loads(done.stdout.strip().splitlines()[-1]))
        return Sides(*sides)

    return run


def kimi(base: str | None, model: str = "kimi-k2-thinking", **fields: Any) -> dict[str, Any]:
    """A kimi configuration of AMX's; the temperature is right, so that only the defect shows."""
    known = {"provider": "kimi", "model": model, "api_base": base, "api_key": KEY}
    return {**known, "temperature": 1.0, **fields}


def chats(sandbox: Sandbox) -> list[Any]:
    return [seen for seen in sandbox.chats if seen.body]


def test_01_floor_and_effort(both: Any, start_sandbox: Start) -> None:
    sandbox = start_sandbox()
    both({"config": kimi(sandbox.url, max_tokens=4096)}, AMX_REASONING_EFFORT="high")
    plain, ours = (seen.body for seen in chats(sandbox))
    assert (plain["max_tokens"], plain.get("reasoning")) == (4096, None)
    assert (ours["max_tokens"], ours["reasoning"]) == (32768, {"effort": "high"})


@pytest.mark.slow
def test_01_the_floor_of_the_environment(both: Any, start_sandbox: Start) -> None:
    sandbox = start_sandbox()
    both({"config": kimi(sandbox.url)}, AMX_LLM_MIN_MAX_TOKENS="50000")
    assert [seen.body["max_tokens"] for seen in chats(sandbox)] == [16384, 50000]


def test_02_the_profiles_own_key(both: Any, start_sandbox: Start) -> None:
    sandbox = start_sandbox()
    both({"config": kimi(sandbox.url)}, OPENAI_API_KEY=OPENAI)
    assert [seen.key for seen in chats(sandbox)] == [OPENAI, KEY]


@pytest.mark.slow
def test_03_a_second_profile_in_one_process(both: Any, start_sandbox: Start) -> None:
    one, two = start_sandbox(), start_sandbox()
    both({"config": kimi(one.url)}, {"config": kimi(two.url, api_key=OTHER)})
    assert [seen.key for seen in chats(two)] == [KEY, OTHER]


@pytest.mark.slow
def test_04_openai_after_kimi(both: Any, start_sandbox: Start) -> None:
    sandbox = start_sandbox()
    openai = {"provider": "openai", "model": "gpt-4o-mini", "api_key": OPENAI}
    chat = {"timeout": 2}
    sides = both({"config": kimi(sandbox.url)}, {"config": openai, "chat": chat})
    assert [seen.key for seen in sandbox.seen] == [KEY, OPENAI, KEY]  # plain's second, leaked
    assert sides.plain[1]["environment"]["OPENAI_API_BASE"] == sandbox.url
    assert "OPENAI_API_BASE" not in sides.kimi[1]["environment"]
    assert KEY not in json.dumps([outcome["environment"] for outcome in sides.kimi])


@pytest.mark.slow
def test_05_a_null_api_base_is_moonshots(both: Any, start_sandbox: Start, home: Path) -> None:
    sandbox = start_sandbox()
    (home / "kimi.yml").write_text(f"endpoints: {{moonshot-ai: {{url: {sandbox.url}}}}}\n")
    sides = both({"config": kimi(None), "chat": {"timeout": 2}})
    assert "error" in sides.plain[0]
    assert sides.kimi[0]["content"] == "OK"
    assert [seen.key for seen in chats(sandbox)] == [KEY]


@pytest.mark.slow
def test_07_the_fixed_temperature(both: Any, start_sandbox: Start) -> None:
    sandbox = start_sandbox()
    sides = both({"config": kimi(sandbox.url, temperature=0.2)})
    assert "only 1 is allowed" in sides.plain[0]["text"]
    assert sides.kimi[0]["content"] == "OK"
    assert "temperature" not in chats(sandbox)[-1].body


@pytest.mark.slow
def test_07_a_temperature_of_zero(both: Any, start_sandbox: Start) -> None:
    sandbox = start_sandbox()
    config = kimi(sandbox.url, "moonshot-v1-8k", temperature=0.2)
    both({"config": config, "chat": {"temperature": 0.0}})
    assert [seen.body["temperature"] for seen in chats(sandbox)] == [0.2, 0.0]


@pytest.mark.slow
def test_08_logprobs_refused_in_other_words(both: Any, start_sandbox: Start) -> None:
    sandbox = start_sandbox(logprobs="refuse")
    sides = both({"config": kimi(sandbox.url, "moonshot-v1-8k", temperature=0.2)})
    assert "logprobs" in sides.plain[0]["text"]
    assert sides.kimi[0]["content"] == "OK"


def test_09_the_retry_and_its_tokens(both: Any, start_sandbox: Start) -> None:
    sandbox = start_sandbox(thinking_base=40_000)
    sides = both({"config": kimi(sandbox.url)}, AMX_LLM_MIN_MAX_TOKENS="16384")
    bodies = [seen.body["max_tokens"] for seen in chats(sandbox)]
    assert bodies == [16384, 65536, 16384, 65536]
    billed = [seen.usage["completion_tokens"] for seen in chats(sandbox)]
    assert sides.plain[0]["usage"]["completion_tokens"] == billed[1]
    assert sides.kimi[0]["usage"]["completion_tokens"] == billed[2] + billed[3]


@pytest.mark.slow
def test_10_small_budgets_of_dedup_and_ask(both: Any, start_sandbox: Start) -> None:
    sandbox = start_sandbox(thinking_base=3_000)
    both({"config": kimi(sandbox.url), "chat": {"max_tokens": 400}})
    *plain, ours = chats(sandbox)
    assert [seen.body["max_tokens"] for seen in plain] == [400, 33168]
    assert ours.body["max_tokens"] == 32768


@pytest.mark.slow
def test_11_one_retry_budget(both: Any, start_sandbox: Start) -> None:
    sandbox = start_sandbox(faults="500@1-")
    sides = both({"config": kimi(sandbox.url)})
    assert {outcome["error"] for outcome in sides.kimi} == {"ServerError"}
    plain = len(chats(sandbox)) - 8  # ours: the first try and seven retries
    assert plain == 9


def test_13_reasoning_goes_back_into_tool_calls(both: Any, start_sandbox: Start) -> None:
    sandbox = start_sandbox()
    function = {"name": "look", "description": "Look.", "parameters": {"type": "object"}}
    tools = [{"type": "function", "function": function}]
    question = {"role": "user", "content": "Call the tool."}
    call = {"id": "sandbox-call-look:0", "type": "function"}
    turn = {"role": "assistant", "content": None, "tool_calls": [{**call, "function": CALLED}]}
    result = {"role": "tool", "tool_call_id": call["id"], "content": "nothing"}
    step = {"config": kimi(sandbox.url), "chat": {"tools": tools}}
    sides = both({**step, "messages": [question]}, {**step, "messages": [question, turn, result]})
    assert sides.plain[0]["tools"] == sides.kimi[0]["tools"] != []
    _, plain, _, ours = chats(sandbox)
    assert not plain.body["messages"][1].get("reasoning_content")
    assert ours.body["messages"][1]["reasoning_content"] == sides.kimi[0]["thinking"] != ""


@pytest.mark.slow
def test_14_column_batches_at_once(both: Any, start_sandbox: Start) -> None:
    sides = both({"config": kimi(start_sandbox().url), "workers": 5})
    assert (sides.plain[0]["workers"], sides.kimi[0]["workers"]) == (1, 5)


def test_16_prices(both: Any) -> None:
    sides = both({"price": "kimi-k2.6"})
    assert sides.plain[0]["input"] == 0
    assert (sides.kimi[0]["input"], sides.kimi[0]["output"]) == (0.95, 4.0)
    assert "kimi-k3" in sides.kimi[0]["listed"]


@pytest.mark.slow
def test_17_prefixed_ids(both: Any, start_sandbox: Start) -> None:
    sandbox = start_sandbox()
    sides = both({"config": kimi(sandbox.url, "moonshotai/kimi-k2-thinking")})
    assert "error" in sides.plain[0]
    assert sides.kimi[0]["content"] == "OK"


def test_everything_that_amx_reads(both: Any, start_sandbox: Start) -> None:
    sandbox = start_sandbox()
    sides = both(
        {"config": kimi(sandbox.url), "stream": True},
        {"config": kimi(sandbox.url, "moonshot-v1-8k", temperature=0.2, max_tokens=500)},
    )
    thinking, chat = sides.kimi
    assert thinking["content"] == "".join(thinking["heard"]["content"]) == "OK"
    assert thinking["heard"]["thinking"][-1] == thinking["thinking"] != ""
    assert thinking["usage"]["thinking_tokens"] == thinking["thinking_tokens"] > 0
    assert thinking["confidence"] is None
    assert chat["confidence"] == pytest.approx(sides.plain[1]["confidence"])
    assert chat["finish"] == "stop"
    assert chat["usage"]["total_tokens"] == sides.plain[1]["usage"]["total_tokens"]


@pytest.mark.slow
@pytest.mark.parametrize("provider", ["local", "openrouter", "openai"])
def test_other_providers_send_the_same_bytes(
    both: Any, start_sandbox: Start, provider: str
) -> None:
    sandbox = start_sandbox(gateway=provider == "openrouter")
    model = "moonshotai/kimi-k2.6" if provider == "openrouter" else "moonshot-v1-8k"
    config = {"provider": provider, "model": model, "api_base": sandbox.url, "api_key": KEY}
    both({"config": config}, {"config": kimi(sandbox.url)}, OPENAI_API_BASE=sandbox.url)
    plain, ours = (seen for seen in chats(sandbox) if seen.body["model"] == model)
    assert plain.body == ours.body
    kept = [{k: v for k, v in s.headers.items() if k != "host"} for s in (plain, ours)]
    assert kept[0] == kept[1]


def test_a_key_that_is_refused_is_fatal_and_names_the_remedy(
    both: Any, start_sandbox: Start
) -> None:
    sandbox = start_sandbox(keys=(OTHER,))
    sides = both({"config": kimi(sandbox.url)}, {"config": kimi(sandbox.url, api_key="")})
    refused, blank = sides.kimi
    assert refused["error"] == "FatalLLMError"
    assert "Check that the key (sk-…) belongs to" in refused["text"]
    assert blank["error"] == "FatalLLMError"
    assert KEY not in refused["text"] + blank["text"]


@pytest.mark.slow
def test_a_cancel_token_ends_a_request_that_is_under_way(both: Any, start_sandbox: Start) -> None:
    sandbox = start_sandbox(latency=20.0)
    settings = {"AMX_LLM_TIMEOUT_SEC": "2"}  # or plain AMX would wait for all of it
    sides = both({"config": kimi(sandbox.url), "cancel_after": 0.3}, **settings)
    assert sides.kimi[0]["error"] == "RunCancelled"
    assert sides.plain[0]["error"] != "RunCancelled"


@pytest.mark.slow
def test_the_fallback_key_of_a_profile_built_directly(both: Any, start_sandbox: Start) -> None:
    sandbox = start_sandbox()
    both({"config": kimi(sandbox.url, api_key="")}, AMX_LLM_API_KEY=KEY)
    assert [seen.key for seen in sandbox.chats] == ["local", KEY]
    assert os.environ.get("OPENAI_API_KEY") is None
