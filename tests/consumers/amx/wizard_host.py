"""Run by AMX's own interpreter in a terminal: AMX's wizard, prepared; prints what it returns."""

import json
import sys

from amx_kimi.bridge.attach import attach

assert attach() == []

from amx.cli_support.commands.profiles import interactive_llm_block  # noqa: E402

found = interactive_llm_block(None)
print("\nRESULT " + json.dumps({"provider": found.provider, "model": found.model}))
print(json.dumps([found.api_base, len(found.api_key), found.temperature, found.max_tokens]))
sys.exit(0)
