"""Our facts as LiteLLM has them: models with prices, and the usage of a reply."""

from typing import Any

from litellm.types.utils import Usage

from amx_kimi.facts import load_catalog
from amx_kimi.tokens import count_tokens
from amx_kimi.types import Ask, Reply
from amx_kimi.types import Usage as OurUsage

__all__ = ["model_rows", "usage_of"]


def usage_of(reply: Reply, ask: Ask) -> Usage:
    """LiteLLM's usage, of all attempts together; cached tokens where its costs look for them. What
    the service did not report of the last attempt is counted by us: an estimate."""
    usage = OurUsage()
    for attempt in reply.attempts:
        if attempt.usage.known:
            usage += attempt.usage
    if not reply.attempts or not reply.attempts[-1].usage.known:
        thought, said = count_tokens(reply.reasoning), count_tokens(reply.content)
        usage += OurUsage(ask.prompt_tokens, completion=thought + said, reasoning=thought)
    return Usage(
        prompt_tokens=usage.prompt,
        completion_tokens=usage.completion,
        total_tokens=usage.prompt + usage.completion,
        prompt_tokens_details={"cached_tokens": usage.cached},
        completion_tokens_details={"reasoning_tokens": usage.reasoning},
    )


def model_rows(provider: str) -> dict[str, dict[str, Any]]:
    """Our models as LiteLLM's price map has them: USD per token."""
    return {f"{provider}/{row.id}": _row(row, provider) for row in load_catalog().models}


def _row(row: Any, provider: str) -> dict[str, Any]:
    known: dict[str, Any] = {
        "litellm_provider": provider,
        "mode": "chat",
        "max_input_tokens": row.context,
        "max_output_tokens": row.max_output or row.context,
        "supports_function_calling": row.tools,
        "supports_vision": row.vision,
        "supports_reasoning": row.thinking != "never",
    }
    if usd := row.prices.get("USD"):
        known |= {
            "input_cost_per_token": float(usd.miss / 1_000_000),
            "output_cost_per_token": float(usd.output / 1_000_000),
            "cache_read_input_token_cost": float(usd.hit / 1_000_000),
        }
    return known
