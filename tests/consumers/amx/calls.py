"""Run by AMX's own interpreter: `LLMProvider` calls from a JSON list on stdin, outcomes on stdout.

With the argument `kimi` the process is prepared first, as `amx-kimi amx` prepares it.
"""

import json
import os
import sys
from types import SimpleNamespace
from typing import Any

if sys.argv[1:] == ["kimi"]:
    from amx_kimi.bridge.attach import attach

    assert attach() == []

from amx.config import AMXConfig, LLMConfig
from amx.llm.pricing import list_all_models, lookup_price
from amx.llm.provider import LLMProvider


def call(step: dict[str, Any]) -> dict[str, Any]:
    if "price" in step:
        price = lookup_price(AMXConfig(), provider="kimi", model=step["price"])
        listed = [e.model_id for e in list_all_models() if "kimi" in e.model_id]
        return {"input": price.input_per_mtok, "output": price.output_per_mtok, "listed": listed}
    config = LLMConfig(**step["config"])
    provider = LLMProvider(config)
    if "workers" in step:
        from amx.agents.profile_agent import ProfileAgent

        agent = SimpleNamespace(llm=provider)
        return {"workers": ProfileAgent._profile_batch_workers(agent, step["workers"])}
    heard: dict[str, list[str]] = {"content": [], "thinking": []}
    arguments = dict(step.get("chat", {}))
    if "cancel_after" in step:
        import threading

        token = threading.Event()
        arguments["cancel_token"] = token
        threading.Timer(step["cancel_after"], token.set).start()
    if step.get("stream"):
        arguments["on_content"] = heard["content"].append
        arguments["on_thinking"] = heard["thinking"].append
    messages = step.get("messages") or [{"role": "user", "content": "Reply with OK."}]
    result = provider.chat(messages, **arguments)
    return {
        "content": result.content,
        "usage": result.usage,
        "finish": result.finish_reason,
        "thinking": result.thinking_content,
        "thinking_tokens": result.thinking_tokens,
        "confidence": result.confidence_score,
        "tools": [vars(tool) for tool in result.tool_calls or []],
        "heard": heard,
    }


def main() -> None:
    outcomes = []
    for step in json.load(sys.stdin):
        try:
            outcome = call(step)
        except Exception as error:
            outcome = {"error": type(error).__name__, "text": str(error)}
        outcome["environment"] = {k: v for k, v in os.environ.items() if k.startswith("OPENAI_")}
        outcomes.append(outcome)
    print("\n" + json.dumps(outcomes))


main()
