"""As whom we ask: profiles, keys, state files. Nothing here talks to the network.

- `profiles`: AMX's `config.yml`, read as AMX reads it: `load_profile`, `use_profile` and
  `save_profile`
- `overlay`: our `kimi.yml`
- `secrets`: where a key lives, in one documented order
- `learned`: what endpoints taught us
- `presets`, `databases`: preset profiles, AMX's `db_profiles`
- `files`: the paths, and the one way to write a file
"""

from amx_kimi.config.databases import DatabaseProfile, load_database
from amx_kimi.config.files import config_path, journal_path, learned_path, overlay_path
from amx_kimi.config.learned import LearnedStore
from amx_kimi.config.overlay import load_overlay
from amx_kimi.config.presets import Preset, load_preset, load_presets
from amx_kimi.config.profile import AMX_DEFAULTS, Overlay, Profile
from amx_kimi.config.profiles import (
    active_profile,
    load_profile,
    nearest,
    profile_names,
    save_profile,
    use_profile,
)
from amx_kimi.config.secrets import FoundKey, find_key, keyring_state, store_key

__all__ = [
    "AMX_DEFAULTS",
    "DatabaseProfile",
    "FoundKey",
    "LearnedStore",
    "Overlay",
    "Preset",
    "Profile",
    "active_profile",
    "config_path",
    "find_key",
    "journal_path",
    "keyring_state",
    "learned_path",
    "load_database",
    "load_overlay",
    "load_preset",
    "load_presets",
    "load_profile",
    "nearest",
    "overlay_path",
    "profile_names",
    "save_profile",
    "store_key",
    "use_profile",
]
