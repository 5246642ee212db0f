"""The entry point `amx.llm_providers: kimi`, as docs/amx-plugin-contract.md proposes it to AMX."""

from typing import Any

from amx_kimi.facts import load_catalog

__all__ = ["provider"]


class _Provider:
    """Kimi, for an AMX that reads entry points."""

    name = "kimi"

    def chat(self, config: Any, messages: list[Any], **arguments: Any) -> dict[str, Any]:
        """One call, under our policy; `ChatResult`'s fields.

        Raises:
            FatalLLMError, LLMTruncationError, RunCancelled: AMX's own.
        """
        from types import SimpleNamespace

        from amx_kimi.bridge.chat import chat

        holder = SimpleNamespace(cfg=config)
        return dict(vars(chat(_no_other, holder, messages, **arguments)))

    def workers(self, config: Any, batches: int) -> int:  # noqa: ARG002
        """How many column batches may run at once: our limiter holds the account's limits."""
        from amx_kimi.bridge.batches import most_at_once

        return most_at_once(batches)

    def price(self, model: str) -> tuple[float, float] | None:
        """USD per million tokens, input and output."""
        usd = load_catalog().model(model).prices.get("USD")
        return (float(usd.miss), float(usd.output)) if usd else None


def _no_other(*_: Any, **__: Any) -> Any:
    raise TypeError("the provider kimi was given another provider's configuration")


provider = _Provider()
