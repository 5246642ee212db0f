"""What LiteLLM calls for the provider `kimi`."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from litellm import ModelResponse
from litellm.llms.custom_llm import CustomLLM

from amx_kimi.client import in_event_loop
from amx_kimi.litellm_provider.call import Call
from amx_kimi.litellm_provider.stream import Stream

__all__ = ["KimiLLM"]


class KimiLLM(CustomLLM):
    """LiteLLM's handler for `kimi/<model id>` and `kimi/@<profile>`."""

    def completion(self, *_: Any, **call: Any) -> ModelResponse:
        """A whole answer.

        Raises:
            litellm exceptions: AuthenticationError, RateLimitError … as LiteLLM's users know them.
        """
        return Call(call).answer()

    async def acompletion(self, *_: Any, **call: Any) -> ModelResponse:
        """As `completion`, in the caller's event loop."""
        return await Call(call).answer_later()

    def streaming(self, *_: Any, **call: Any) -> Iterator[Any]:
        """The answer in pieces, content and reasoning, then usage. Returns with the first piece, or
        raises: so that LiteLLM's Router can go elsewhere."""
        return Stream(Call(call)).begun().pieces()

    def astreaming(self, *_: Any, **call: Any) -> AsyncIterator[Any]:  # type: ignore[override]
        """As `streaming`, for the caller's event loop; LiteLLM calls it in a thread."""
        stream = Stream(Call(call))
        return (stream if in_event_loop() else stream.begun()).pieces_later()
