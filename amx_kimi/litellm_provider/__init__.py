"""Kimi as a LiteLLM provider: `import amx_kimi.litellm_provider`, and `kimi/…` models work.

    import amx_kimi.litellm_provider, litellm
    litellm.completion(model="kimi/kimi-k2.6", messages=[…], api_key=…)
    litellm.completion(model="kimi/@nightly", messages=[…])    # an LLM profile of AMX's config.yml

Importing this module registers the provider by LiteLLM's public custom-provider interface; nothing
else does. Policy, limits, retries and errors are those of the rest of amx-kimi.

`custom_llm` is what LiteLLM calls, `call` one call of it as ours, `stream` an answer in pieces,
`errors` and `models` are our errors and facts as LiteLLM has them.
"""

import litellm

from amx_kimi.litellm_provider.call import PROVIDER
from amx_kimi.litellm_provider.custom_llm import KimiLLM
from amx_kimi.litellm_provider.models import model_rows

__all__ = ["KimiLLM", "handler", "register"]

handler = KimiLLM()
"""What the LiteLLM Proxy's YAML names as `custom_handler`."""


def register() -> None:
    """Register the provider, and the prices of its models, with LiteLLM. Twice is once."""
    if not any(item["provider"] == PROVIDER for item in litellm.custom_provider_map):
        litellm.custom_provider_map.append({"provider": PROVIDER, "custom_handler": handler})
    from litellm.utils import custom_llm_setup

    custom_llm_setup()  # type: ignore[no-untyped-call]
    litellm.register_model(model_rows(PROVIDER))


register()
