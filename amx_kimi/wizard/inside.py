"""amx-kimi's questions inside AMX's wizard. AMX asks for name and provider, and saves the fields
that are returned here."""

from collections.abc import Mapping
from typing import Any

from amx_kimi.config import Draft, KeyChoice, draft_profile, keyring_state
from amx_kimi.settings import Settings
from amx_kimi.types import Secret
from amx_kimi.wizard.questions import AMX_QUESTIONS, Asking
from amx_kimi.wizard.terminal import Terminal
from amx_kimi.wizard.wizard import ask_all, summary

__all__ = ["collect_for_amx"]

_NAME = "(AMX's)"


def collect_for_amx(present: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Ask for the fields of AMX's profile; `present` are those of an edited one. Saves nothing.

    Raises:
        Cancelled: the person gave up.
    """
    terminal = Terminal()
    terminal.say("amx-kimi: Enter accepts the value in [brackets]; < goes back.")
    fields = {key: present[key] for key in ("model", "api_base") if present.get(key)}
    numbers = {"temperature": 0.2, "max_tokens": 4096, "n_alternatives": 3}
    fields |= {key: present.get(key, value) for key, value in numbers.items()}
    key = str(present.get("api_key") or "")
    choice = KeyChoice("clear", Secret(key)) if key else KeyChoice("blank")
    draft = ask_all(
        Draft(_NAME, {"provider": "kimi", **fields}, key=choice),
        Asking(terminal, settings, inside_amx=True),
        AMX_QUESTIONS,
    )
    terminal.say(summary(draft_profile(draft, settings), settings))
    secret = draft.key.secret
    if secret and not keyring_state().usable:  # AMX 0.19 would store a dead reference
        terminal.say(
            "! AMX cannot store a key without an OS keyring, so the key is not passed on.\n"
            "  Export AMX_LLM_API_KEY in each session instead."
        )
        secret = None
    return {**draft.fields, "api_key": secret.reveal() if secret else ""}
