"""Configuration: profiles, keys and state files. Nothing here uses the network.

- `profile`: a profile, as AMX and `kimi.yml` define it
- `loading`: reads profiles from AMX's `config.yml`, as AMX reads them
- `manage`: changes profiles; `edit`: changes a YAML file, and keeps comments and order
- `draft`: a profile that is not saved yet; `words`: checks what people type
- `direct`: a profile and key that a caller gives, without files
- `overlay`: amx-kimi's `kimi.yml`
- `secrets`: finds a key, in one documented order; `os_keyring`, `key_files`: two of the places
- `learned`: `kimi-learned.json`, what endpoints taught
- `presets`, `databases`: preset profiles, and AMX's `db_profiles`
- `files`: the paths, and the only way to write a file
"""

from amx_kimi.config.databases import AMX_MOST_ROWS, DatabaseProfile, load_database
from amx_kimi.config.direct import at_base_url, direct_key, direct_profile, given_profile
from amx_kimi.config.draft import (
    Draft,
    KeyChoice,
    draft_key,
    draft_of,
    draft_profile,
    save_draft,
)
from amx_kimi.config.files import config_path, journal_path, learned_path, overlay_path
from amx_kimi.config.key_files import key_file
from amx_kimi.config.learned import LearnedStore, Served
from amx_kimi.config.loading import active_profile, load_profile, nearest, profile_names
from amx_kimi.config.manage import (
    Removed,
    remove_profile,
    rename_profile,
    save_profile,
    set_aliases,
    set_fields,
    use_profile,
)
from amx_kimi.config.os_keyring import keyring_state, store_key
from amx_kimi.config.overlay import load_overlay, with_limits
from amx_kimi.config.presets import (
    Preset,
    find_profile,
    load_preset,
    load_presets,
    with_preset,
)
from amx_kimi.config.profile import AMX_DEFAULTS, Masking, Overlay, Profile
from amx_kimi.config.secrets import FoundKey, absolute_reference, check_reference, find_key
from amx_kimi.config.words import (
    RANGES,
    check_name,
    check_number,
    clean_key,
    endpoint_url,
    is_short,
    model_id,
    near_model,
    near_name,
    unknown_model,
)

__all__ = [
    "AMX_DEFAULTS",
    "AMX_MOST_ROWS",
    "RANGES",
    "DatabaseProfile",
    "Draft",
    "FoundKey",
    "KeyChoice",
    "LearnedStore",
    "Masking",
    "Overlay",
    "Preset",
    "Profile",
    "Removed",
    "Served",
    "absolute_reference",
    "active_profile",
    "at_base_url",
    "check_name",
    "check_number",
    "check_reference",
    "clean_key",
    "config_path",
    "direct_key",
    "direct_profile",
    "draft_key",
    "draft_of",
    "draft_profile",
    "endpoint_url",
    "find_key",
    "find_profile",
    "given_profile",
    "is_short",
    "journal_path",
    "key_file",
    "keyring_state",
    "learned_path",
    "load_database",
    "load_overlay",
    "load_preset",
    "load_presets",
    "load_profile",
    "model_id",
    "near_model",
    "near_name",
    "nearest",
    "overlay_path",
    "profile_names",
    "remove_profile",
    "rename_profile",
    "save_draft",
    "save_profile",
    "set_aliases",
    "set_fields",
    "store_key",
    "unknown_model",
    "use_profile",
    "with_limits",
    "with_preset",
]
