"""The attachment points: their names, what we expect in AMX's source, and what we attach.

The names and shapes are those of AMX 0.17.0 and 0.19.0, read on 2026-11-23. If one does not fit,
nothing is attached at all, because it is another AMX.
"""

from dataclasses import dataclass

__all__ = ["POINTS", "Point"]


@dataclass(frozen=True)
class Point:
    """A name in a module of AMX.

    - `arguments`: those that a function must accept, in this order; it may accept more
    - `members`: the fields or methods that a class must have
    - `hand`: what we attach: a `module:function` below amx_kimi.bridge that gets the original and
      returns its replacement; "" if we only use it
    """

    module: str
    name: str
    arguments: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    hand: str = ""


POINTS = (
    Point(
        "amx.llm.provider",
        "LLMProvider.chat",
        ("self", "messages", "temperature", "max_tokens", "use_logprobs", "on_thinking"),
        hand="chat:chat",
    ),
    Point("amx.llm.provider", "LLMProvider._configure_env", ("self",), hand="chat:configure_env"),
    Point(
        "amx.llm.provider",
        "ChatResult",
        members=(
            *("content", "usage", "logprobs", "finish_reason", "confidence_score"),
            *("tool_calls", "thinking_content", "thinking_tokens"),
        ),
    ),
    Point("amx.llm.provider", "ToolCall", members=("id", "name", "arguments")),
    Point("amx.llm._provider_errors", "FatalLLMError.__init__", ("self", "user_message")),
    Point("amx.llm._provider_errors", "LLMTruncationError"),
    Point("amx.llm._logprob_confidence", "logprob_confidence_score"),
    Point("amx.utils.cancel", "get_active_cancel_token"),
    Point("amx.utils.cancel", "raise_if_cancelled"),
    Point("amx.agents.orchestrator", "RunCancelled"),
    Point(
        "amx.agents.profile_agent",
        "ProfileAgent._profile_batch_workers",
        ("self", "n_batches"),
        hand="batches:workers",
    ),
    Point(
        "amx.agents.profile_agent",
        "ProfileAgent._run_single_batch",
        ("self", "ctx", "columns"),
        hand="batches:single_batch",
    ),
    Point(
        "amx.llm.pricing",
        "ModelPrice",
        members=("input_per_mtok", "output_per_mtok", "source", "fetched_at"),
    ),
    Point(
        "amx.llm.pricing",
        "ModelCatalogEntry",
        members=(
            *("model_id", "provider_hint", "input_per_mtok", "output_per_mtok"),
            *("source", "fetched_at"),
        ),
    ),
    Point("amx.llm.pricing", "lookup_price", ("cfg", "provider", "model"), hand="prices:lookup"),
    Point("amx.llm.pricing", "list_all_models", hand="prices:listing"),
    Point(
        "amx.cli_support.commands.profiles",
        "interactive_llm_block",
        ("defaults",),
        hand="wizard:block",
    ),
    Point("amx.cli_support.commands.profiles", "ask_choice"),
    Point("amx.scheduler.daemon_install", "install_daemon", hand="daemon:install"),
)
"""The points, in the order in which a call in AMX passes them."""
