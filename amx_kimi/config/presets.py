"""Preset profiles: `profiles/*.yml`, in the wheel and beside the package in an editable install."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amx_kimi.config.files import read_yaml
from amx_kimi.config.profiles import nearest
from amx_kimi.errors import ConfigError, ConfigFileError

__all__ = ["Preset", "load_preset", "load_presets"]


@dataclass(frozen=True)
class Preset:
    """`profile` goes to AMX's config.yml, `kimi` to kimi.yml; `about` says when to pick it."""

    name: str
    about: str
    profile: dict[str, Any]
    kimi: dict[str, Any]


def load_presets() -> dict[str, Preset]:
    """Every preset by name.

    Raises:
        ConfigFileError: a preset file is malformed; names it.
    """
    package = Path(__file__).parents[1]
    folder = next(p for p in (package / "profiles", package.parent / "profiles") if p.is_dir())
    return {path.stem: _preset(path) for path in sorted(folder.glob("*.yml"))}


def load_preset(name: str) -> Preset:
    """The preset `name`.

    Raises:
        ConfigError: there is none; names the nearest ones.
    """
    presets = load_presets()
    if name not in presets:
        raise ConfigError(f"No preset {name!r}. {nearest(name, presets)}")
    return presets[name]


def _preset(path: Path) -> Preset:
    document = read_yaml(path)
    about, profile, kimi = (document.get(key) for key in ("about", "profile", "kimi"))
    if not isinstance(about, str) or not isinstance(profile, dict) or not isinstance(kimi, dict):
        raise ConfigFileError(f"{path}: expected the keys about, profile and kimi")
    return Preset(path.stem, about, profile, kimi)
