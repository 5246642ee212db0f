"""Run by AMX's own interpreter: one action on AMX's configuration, its outcome as JSON."""

import json
import sys

from amx.config import AMXConfig


def shown(config: AMXConfig) -> dict[str, object]:
    fields = ("provider", "model", "api_base", "api_key", "temperature", "max_tokens")
    return {
        "active": config.active_llm_profile,
        "rag": config.rag_llm_profile,
        "llm": {name: getattr(config.llm, name) for name in (*fields, "n_alternatives")},
        "profiles": {
            name: {field: getattr(profile, field) for field in fields}
            for name, profile in config.llm_profiles.items()
        },
    }


def main(action: str, *arguments: str) -> object:
    config = AMXConfig.load()
    if action == "save":
        config.save()
    elif action == "use":
        config.set_active_llm_profile(arguments[0])
        config.save()
    elif action == "add":
        from amx.config import LLMConfig

        name, model, base, key = arguments
        profile = LLMConfig(provider="kimi", model=model, api_base=base, api_key=key)
        config.llm_profiles[name] = profile
        config.set_active_llm_profile(name)
        config.save()
    elif action == "chat":
        from amx.llm.provider import LLMProvider

        messages = [{"role": "user", "content": "Reply with OK."}]
        return LLMProvider(config.llm).chat(messages).content
    return shown(config)


if __name__ == "__main__":
    print("\n" + json.dumps(main(*sys.argv[1:])))
