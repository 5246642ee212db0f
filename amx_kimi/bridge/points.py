"""The attachment points: name, what we expect of AMX's source, what we do there.

The names and shapes are those of AMX 0.17.0 and 0.19.0, read on 2026-11-23. One that does not fit
means another AMX: then nothing is attached at all.
"""

from dataclasses import dataclass

__all__ = ["POINTS", "Point"]


@dataclass(frozen=True)
class Point:
    """A name in a module of AMX.

    `arguments` are those that a function has to take, in this order, whatever it takes besides;
    `members` are the fields or methods that a class has to have. `hand` is what we put there:
    `module:function` below amx_kimi.bridge, called with the original, returning its replacement;
    "" for what we only use.
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
"""In the order of a call's way through AMX."""
