"""Run in a D-Bus session with an unlocked keyring (test_keyring.py): prints what happened, as JSON.

Every key is stored and looked up with the real backend; `keyring` itself plays plain AMX.
"""

import json
import sys
from pathlib import Path

import keyring

from amx_kimi.config import find_key, keyring_state, load_database, load_profile, store_key
from amx_kimi.errors import KimiError
from amx_kimi.settings import Settings
from amx_kimi.types import Secret

CONFIG = """
llm_profiles:
  ours: {provider: kimi, model: kimi-k3, api_key: "keyring://amx/ours/api_key"}
  amx: {provider: kimi, model: kimi-k3, api_key: "keyring:llm_profiles/amx/api_key"}
  gone: {provider: kimi, model: kimi-k3, api_key: "keyring://amx/gone/api_key"}
db_profiles:
  erp: {backend: postgresql, host: h, password: "keyring:db_profiles/erp/password"}
  lost: {backend: postgresql, host: h, password: "keyring:db_profiles/lost/password"}
"""


def key(profile: str) -> str:
    found = find_key(load_profile(profile), Settings.from_environment())
    return f"{found.secret.reveal() if found.secret else None} from {found.where}"


def error(call: object) -> str:
    try:
        call()  # type: ignore[operator]
    except KimiError as caught:
        return f"{type(caught).__name__}: {caught}"
    return "no error"


def main() -> dict[str, object]:
    settings = Settings.from_environment()
    settings.config_dir.mkdir(parents=True)
    Path(settings.config_dir / "config.yml").write_text(CONFIG)
    reference = store_key("ours", Secret("sk-ours-0123456789"))
    keyring.set_password("amx", "llm_profiles/amx/api_key", "sk-amx-0123456789")
    keyring.set_password("amx", "db_profiles/erp/password", "pa ss:wörd")
    password = load_database("erp", settings).secrets.get("password")
    again = store_key("ours", Secret("sk-newer-0123456789"))
    return {
        "backend": type(keyring.get_keyring()).__module__,
        "state": [keyring_state().usable, keyring_state().description],
        "reference": [reference, again],
        "amx": keyring.get_password("amx", "//amx/ours/api_key"),
        "ours": key("ours"),
        "theirs": key("amx"),
        "gone": error(lambda: key("gone")),
        "password": password.reveal() if password else None,
        "lost": error(lambda: load_database("lost", settings)),
    }


if __name__ == "__main__":
    json.dump(main(), sys.stdout)
