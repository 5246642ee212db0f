"""Kimi through LiteLLM: completion, streaming, sync and async, errors, cost."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from amx_kimi.sandbox import Sandbox
from tests import warm
from tests.canary import CANARY, leaks
from tests.conftest import KEY

Start = Callable[..., Sandbox]
ASK = [{"role": "user", "content": "Reply with OK."}]
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]

BEFORE = """
import asyncio, json, sys, warnings
warnings.simplefilter("ignore")
import amx_kimi.litellm_provider
import litellm
from litellm import completion, acompletion
spec = json.load(sys.stdin)
base, key, ask, tools = (spec[name] for name in ("base", "key", "ask", "tools"))
there = {"api_base": base, "api_key": key, "messages": ask}
out = {}
def cost(response): return response._hidden_params["response_cost"]
"""


@pytest.fixture(autouse=True, scope="module")
def warm_start() -> None:
    """LiteLLM takes seconds to import."""
    warm.begin(litellm=True)


@pytest.fixture
def litellm() -> Callable[..., dict[str, Any]]:
    """Run a script in a process of its own, as a user of LiteLLM would; what it put into `out`."""

    def run(script: str, base: str = "", key: str | None = KEY, **env: str) -> dict[str, Any]:
        code = BEFORE + textwrap.dedent(script) + "\nprint(json.dumps(out))\n"
        spec = {"base": base or None, "key": key, "ask": ASK, "tools": TOOLS}
        done = warm.run_code(code, input=json.dumps(spec), env={**os.environ, **env}, litellm=True)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return found

    return run


def test_a_completion(litellm: Any, start_sandbox: Start) -> None:
    sandbox = start_sandbox()
    out = litellm(
        """
        r = completion(model="kimi/kimi-k2.6", temperature=0.2, **there)
        out |= {"content": r.choices[0].message.content, "usage": r.usage.model_dump()}
        out |= {"cost": cost(r), "again": litellm.completion_cost(r), "model": r.model}
        """,
        sandbox.url,
    )
    (seen,) = sandbox.chats
    assert (out["content"], out["model"]) == ("OK", "kimi-k2.6")
    assert "temperature" not in seen.body
    assert seen.body["thinking"] == {"type": "disabled"}
    assert out["usage"]["prompt_tokens"] == seen.usage["prompt_tokens"]
    assert out["usage"]["completion_tokens"] == seen.usage["completion_tokens"]
    assert out["cost"] == pytest.approx(float(seen.cost))
    assert out["again"] == pytest.approx(float(seen.cost))


def test_cached_tokens_count(litellm: Any, start_sandbox: Start) -> None:
    sandbox = start_sandbox()
    out = litellm(
        """
        there["messages"] = [{"role": "system", "content": "A long text. " * 400}, *ask]
        for name in ("first", "second"):
            r = completion(model="kimi/kimi-k2.6", **there)
            out[name] = [cost(r), r.usage.prompt_tokens_details.cached_tokens]
        """,
        sandbox.url,
    )
    first, second = sandbox.chats
    assert out["first"] == [pytest.approx(float(first.cost)), 0]
    assert out["second"] == [pytest.approx(float(second.cost)), second.usage["cached_tokens"]]
    assert out["second"][1] > 0


@pytest.mark.parametrize("way", ["sync", "async"])
def test_streaming(litellm: Any, start_sandbox: Start, way: str) -> None:
    sandbox = start_sandbox()
    out = litellm(
        f"""
        asked = dict(model="kimi/kimi-k3", stream=True, stream_options={{"include_usage": True}})
        async def go():
            return [chunk async for chunk in await acompletion(**asked, **there)]
        chunks = asyncio.run(go()) if {way!r} == "async" else list(completion(**asked, **there))
        deltas = [c.choices[0].delta for c in chunks if c.choices]
        out["content"] = "".join(d.content or "" for d in deltas)
        out["thought"] = "".join(getattr(d, "reasoning_content", None) or "" for d in deltas)
        ends = [c.choices[0].finish_reason for c in chunks if c.choices]
        out["finish"] = [end for end in ends if end]
        out["usage"] = [c.usage.total_tokens for c in chunks if getattr(c, "usage", None)][-1]
        """,
        sandbox.url,
    )
    (seen,) = sandbox.chats
    assert (out["content"], out["finish"]) == ("OK", ["stop"])
    assert out["thought"].startswith("Let me look")
    assert out["usage"] == seen.usage["prompt_tokens"] + seen.usage["completion_tokens"]


def test_tools_and_async(litellm: Any, start_sandbox: Start) -> None:
    out = litellm(
        """
        there["messages"] = [{"role": "user", "content": "Call the tool."}]
        r = asyncio.run(acompletion(model="kimi/kimi-k2.6", tools=tools, **there))
        out["call"] = r.choices[0].message.tool_calls[0].function.name
        out["finish"] = r.choices[0].finish_reason
        chunks = completion(model="kimi/kimi-k2.6", tools=tools, stream=True, **there)
        calls = [c.choices[0].delta.tool_calls for c in chunks if c.choices]
        out["streamed"] = [call[0].function.name for call in calls if call]
        """,
        start_sandbox().url,
    )
    assert out == {"call": "look", "finish": "tool_calls", "streamed": ["look"]}


def test_a_profile_by_name_and_the_active_one(
    litellm: Any, start_sandbox: Start, home: Path
) -> None:
    sandbox = start_sandbox()
    home.mkdir()
    (home / "config.yml").write_text(
        "llm_profiles:\n"
        f"  one: {{provider: kimi, model: kimi-k3, api_base: '{sandbox.url}', api_key: {KEY}}}\n"
        f"  two: {{provider: kimi, model: kimi-k2.6, api_base: '{sandbox.url}', api_key: sk-two}}\n"
        "active_llm_profile: one\n"
    )
    other = start_sandbox()
    out = litellm(
        f"""
        out["named"] = completion(model="kimi/@two", messages=ask).model
        completion(model="kimi/kimi-k2.6", messages=ask)
        try:  # a profile's key goes nowhere else
            completion(model="kimi/kimi-k2.6", messages=ask, api_base={other.url!r})
        except litellm.AuthenticationError as error:
            out["error"] = str(error)
        """,
        key=None,
    )
    assert out["named"] == "kimi-k2.6"
    assert [(seen.key, seen.body["model"]) for seen in sandbox.chats] == [
        ("sk-two", "kimi-k2.6"),
        (KEY, "kimi-k2.6"),
    ]
    assert [seen.key for seen in other.seen] == [None]
    assert KEY not in out["error"]


@pytest.mark.parametrize(
    ("options", "model", "error"),
    [
        ({"keys": ("sk-others-0123456789",)}, "kimi-k2.6", "AuthenticationError"),
        ({}, "kimi-k9", "NotFoundError"),
        ({"balance": 0.0}, "kimi-k2.6", "APIError"),
        ({"faults": "filter@1-"}, "kimi-k2.6", "ContentPolicyViolationError"),
        ({"faults": "forbidden@1-"}, "kimi-k2.6", "PermissionDeniedError"),
        ({"faults": "tpd@1-"}, "kimi-k2.6", "RateLimitError"),
    ],
)
def test_litellms_own_exceptions(
    litellm: Any, start_sandbox: Start, options: dict[str, Any], model: str, error: str
) -> None:
    out = litellm(
        f"""
        for stream in (False, True):
            try:
                r = completion(model="kimi/{model}", stream=stream, num_retries=0, **there)
                list(r) if stream else None
            except Exception as error:
                out[str(stream)] = [type(error).__name__, str(error)]
        """,
        start_sandbox(**options).url,
    )
    # LiteLLM wraps what it would try elsewhere, when it comes while streaming.
    assert out["False"][0] == error
    assert out["True"][0] in (error, "MidStreamFallbackError")
    assert KEY not in str(out)


def test_an_answer_that_was_cut_is_no_error(litellm: Any, start_sandbox: Start) -> None:
    sandbox = start_sandbox(thinking_base=200_000)
    out = litellm(
        """
        r = completion(model="kimi/kimi-k2-thinking", **there)
        out |= {"finish": r.choices[0].finish_reason, "tokens": r.usage.completion_tokens}
        """,
        sandbox.url,
    )
    assert out["finish"] == "length"
    assert out["tokens"] == sum(seen.usage["completion_tokens"] for seen in sandbox.chats)
    assert [seen.body["max_tokens"] for seen in sandbox.chats] == [32768, 131072]


def test_nothing_else_registers_it() -> None:
    code = "import amx_kimi, amx_kimi.client, sys; print('litellm' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n"


def test_a_callers_mistake_teaches_nothing(
    litellm: Any, start_sandbox: Start, tmp_path: Path
) -> None:
    sandbox = start_sandbox()
    out = litellm(
        """
        wrong = {"tool_choice": "required", "response_format": {"type": "bogus"}}
        for name, value in wrong.items():
            try:
                completion(model="kimi/kimi-k2.6", tools=tools, **{name: value}, **there)
                out[name] = "no error"
            except litellm.BadRequestError as error:
                out[name] = type(error).__name__
        choice = {"type": "function", "function": {"name": "look"}}
        answer = completion(model="kimi/kimi-k2.6", tools=tools, tool_choice=choice, **there)
        out["finish"] = answer.choices[0].finish_reason
        """,
        sandbox.url,
        AMX_CONFIG_DIR=str(tmp_path),
    )
    assert out == {
        "tool_choice": "BadRequestError",
        "response_format": "BadRequestError",
        "finish": "tool_calls",
    }
    learned = tmp_path / "kimi-learned.json"
    assert not learned.exists() or "tool_choice" not in learned.read_text()


def test_effort_and_thinking_of_the_call(litellm: Any, start_sandbox: Start) -> None:
    sandbox = start_sandbox()
    out = litellm(
        """
        allow = {"allowed_openai_params": ["reasoning_effort", "thinking"]}
        completion(model="kimi/kimi-k3", reasoning_effort="high", **allow, **there)
        completion(model="kimi/kimi-k2.6", reasoning_effort="high", **allow, **there)
        completion(model="kimi/kimi-k2.6", thinking={"type": "enabled"}, **allow, **there)
        for wrong in ({"reasoning_effort": "xhigh"}, {"n": 2}):
            try:
                completion(model="kimi/kimi-k3", **wrong, **allow, **there)
            except litellm.BadRequestError as error:
                out[str(wrong)] = str(error)
        """,
        sandbox.url,
    )
    first, second, third = (seen.body or {} for seen in sandbox.chats)
    assert "high" in json.dumps(first)
    assert second["thinking"]["type"] == third["thinking"]["type"] == "enabled"
    assert "xhigh" in out["{'reasoning_effort': 'xhigh'}"]
    assert "one answer per call" in out["{'n': 2}"]


def test_log_probabilities(litellm: Any, start_sandbox: Start) -> None:
    out = litellm(
        """
        answer = completion(model="kimi/kimi-k2-0905-preview", logprobs=True, **there)
        out["tokens"] = [(t.token, t.logprob) for t in answer.choices[0].logprobs.content]
        """,
        start_sandbox().url,
    )
    assert "".join(token for token, _ in out["tokens"])
    assert all(logprob <= 0 for _, logprob in out["tokens"])


def test_the_calls_timeout(litellm: Any, start_sandbox: Start) -> None:
    sandbox = start_sandbox(latency=30)
    out = litellm(
        """
        import time
        def timed(call):
            begun = time.monotonic()
            try:
                call()
                kind = "none"
            except litellm.Timeout:
                kind = "Timeout"
            return [kind, time.monotonic() - begun]
        ask = dict(model="kimi/kimi-k2.6", timeout=1, max_retries=0, **there)
        async def whole(): return await acompletion(**ask)
        async def streamed():
            async for _ in await acompletion(stream=True, **ask): pass
        out["sync"] = timed(lambda: completion(**ask))
        out["stream"] = timed(lambda: list(completion(stream=True, **ask)))
        out["async"] = timed(lambda: asyncio.run(whole()))
        out["astream"] = timed(lambda: asyncio.run(streamed()))
        """,
        sandbox.url,
    )
    for kind, seconds in out.values():
        assert kind == "Timeout"
        assert seconds < 20


def test_a_broken_profile_is_not_passed_over(
    litellm: Any, start_sandbox: Start, tmp_path: Path
) -> None:
    (tmp_path / "config.yml").write_text(
        "active_llm_profile: k\nllm_profiles:\n  k: {provider: kimi, model: kimi-k2.6}\n"
    )
    (tmp_path / "kimi.yml").write_text("profiles:\n  k: {endpoint: our-gatewy}\n")
    out = litellm(
        """
        try:
            completion(model="kimi/kimi-k2.6", messages=ask)
        except litellm.BadRequestError as error:
            out["said"] = str(error)
        """,
        start_sandbox().url,
        AMX_CONFIG_DIR=str(tmp_path),
        AMX_LLM_API_KEY=KEY,
    )
    assert "our-gatewy" in out["said"]


def test_usage_after_a_retry_without_usage(litellm: Any, start_sandbox: Start) -> None:
    sandbox = start_sandbox(faults="reset-within@1")
    out = litellm(
        """
        answer = completion(model="kimi/kimi-k2.6", **there)
        out["usage"] = answer.usage.prompt_tokens, answer.usage.completion_tokens
        out["cost"] = cost(answer)
        """,
        sandbox.url,
    )
    assert all(out["usage"])
    assert out["cost"] > 0


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_routers_fallback_while_streaming(litellm: Any, start_sandbox: Start, way: str) -> None:
    bad, good = start_sandbox(faults="unauthorized@1-"), start_sandbox()
    out = litellm(
        f"""
        good = json.loads({json.dumps(good.url)!r})
        def entry(name, base, k):
            return {{"model_name": name, "litellm_params": {{
                "model": "kimi/kimi-k2.6", "api_base": base, "api_key": k}}}}
        router = litellm.Router(
            model_list=[entry("a", base, key), entry("b", good, key)],
            fallbacks=[{{"a": ["b"]}}], num_retries=0,
        )
        async def later():
            answer = await router.acompletion(model="a", messages=ask, stream=True)
            return [piece async for piece in answer]
        if {way!r} == "sync":
            pieces = list(router.completion(model="a", messages=ask, stream=True))
        else:
            pieces = asyncio.run(later())
        out["text"] = "".join(p.choices[0].delta.content or "" for p in pieces)
        out["ids"] = len({{p.id for p in pieces}})
        """,
        bad.url,
    )
    assert out["text"]
    assert out["ids"] == 1
    assert len(good.chats) == 1


def test_a_pasted_key_and_a_profiles_settings_elsewhere(
    litellm: Any, start_sandbox: Start, tmp_path: Path
) -> None:
    (tmp_path / "config.yml").write_text(
        "llm_profiles:\n  night: {provider: kimi, model: kimi-k2.6, max_tokens: 5000}\n"
    )
    (tmp_path / "kimi.yml").write_text("profiles:\n  night: {thinking: true}\n")
    sandbox = start_sandbox()
    litellm(
        """
        pasted = "Bearer " + key + "\\n"
        completion(model="kimi/@night", messages=ask, api_base=base, api_key=pasted)
        """,
        sandbox.url,
        AMX_CONFIG_DIR=str(tmp_path),
    )
    (seen,) = sandbox.chats
    assert (seen.body or {})["thinking"]["type"] == "enabled"


@pytest.mark.parametrize("fault", ["", "unauthorized@1-"])
def test_litellms_own_debug_log_has_no_key_of_ours(
    start_sandbox: Start, home: Path, fault: str
) -> None:
    """A key that we find ourselves: LiteLLM is never told it."""
    sandbox = start_sandbox(keys=(CANARY,), faults=fault)
    home.mkdir()
    (home / "the-key").write_text(CANARY)
    known = f"provider: kimi, model: kimi-k2.6, api_base: '{sandbox.url}'"
    (home / "config.yml").write_text(f"llm_profiles: {{p: {{{known}}}}}\nactive_llm_profile: p\n")
    (home / "kimi.yml").write_text(f"profiles: {{p: {{api_key_ref: 'file:{home}/the-key'}}}}\n")
    script = """
    litellm._turn_on_debug()
    try:
        completion("kimi/@p", messages=ask, num_retries=0)
    except Exception as error:
        print(repr(error), vars(error), file=sys.stderr)
    """
    code = BEFORE + textwrap.dedent(script)
    spec = {"base": None, "key": None, "ask": ASK, "tools": TOOLS}
    env = {**os.environ, "LITELLM_LOG": "DEBUG"}
    done = warm.run_code(code, input=json.dumps(spec), env=env, litellm=True)
    assert done.returncode == 0, done.stderr
    assert sandbox.chats[0].key == CANARY, done.stderr[-2000:]
    said = done.stdout + done.stderr
    assert "litellm" in said.lower()
    assert leaks(said) == []
