"""Preset profiles: `profiles/*.yml`, inside the wheel, or beside the package if it is editable."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from amx_kimi.conceal import shown
from amx_kimi.config.files import read_yaml
from amx_kimi.config.loading import load_profile, nearest, profile_names
from amx_kimi.config.overlay import OverlayFile
from amx_kimi.config.profile import Profile
from amx_kimi.errors import ConfigError, ConfigFileError, UnknownProfileError
from amx_kimi.facts import load_catalog, match_endpoint
from amx_kimi.settings import Settings

__all__ = ["Preset", "find_profile", "load_preset", "load_presets", "with_preset"]


@dataclass(frozen=True)
class Preset:
    """`profile` goes to AMX's config.yml, `kimi` to kimi.yml; `about` says when to pick it."""

    name: str
    about: str
    profile: dict[str, Any]
    kimi: dict[str, Any]

    @property
    def portable(self) -> bool:
        """Whether it works at any endpoint: a model that Moonshot still serves, at its own."""
        host = self.profile.get("api_base", "").split("/")[2:3]
        models = load_catalog().models
        served = any(row.id == self.profile["model"] and row.live for row in models)
        return served and host in (["api.moonshot.ai"], ["api.moonshot.cn"])


def load_presets() -> dict[str, Preset]:
    """Every preset by name.

    Raises:
        ConfigFileError: a preset file is malformed; names it.
    """
    package = Path(__file__).parents[1]
    places = (package / "profiles", package.parent / "profiles")
    folder = next(place for place in places if place.is_dir())
    return {path.stem: _preset(path) for path in sorted(folder.glob("*.yml"))}


def load_preset(name: str, overlays: OverlayFile) -> Preset:
    """The preset `name`; if `kimi.yml` replaces its endpoint, at the replacement.

    Raises:
        ConfigError: there is none; names the nearest ones.
    """
    presets = load_presets()
    if name not in presets:
        raise ConfigError(f"No preset {shown(name)}. {nearest(name, presets)}")
    preset = presets[name]
    row = match_endpoint(load_catalog(), preset.profile["api_base"])
    return replace(preset, profile={**preset.profile, "api_base": overlays.instead_of(row).url})


def find_profile(name: str | None, settings: Settings) -> Profile:
    """The profile `name`, or the active one.

    If config.yml has no such profile, the preset of that name is used, with the active profile's
    endpoint and key.

    Raises:
        UnknownProfileError: there is neither; names the nearest ones.
        ConfigError: a file is broken, or the profile belongs to another provider.
    """
    names = profile_names(settings)
    if not name or not names or name in names:
        return load_profile(name, settings)
    presets = {preset.name: preset for preset in load_presets().values() if preset.portable}
    if name not in presets:
        known = nearest(name, {**names, **presets})
        raise UnknownProfileError(f"No LLM profile or preset {shown(name)}", remedy=known)
    return with_preset(load_profile(None, settings), presets[name])


def with_preset(base: Profile, preset: Preset) -> Profile:
    """A profile with the model, number of alternatives and thinking of a preset."""
    model = preset.profile["model"]
    own: dict[str, Any] = {}
    if model != base.model:  # the profile's own prices are those of its own model
        own = {"custom_input_cost_per_mtok": None, "custom_output_cost_per_mtok": None}
    return replace(
        base,
        name=preset.name,
        model=model,
        n_alternatives=preset.profile["n_alternatives"],
        overlay=replace(base.overlay, **{"thinking": None, "effort": None, **preset.kimi}),
        **own,
    )


def _preset(path: Path) -> Preset:
    document = read_yaml(path)
    about, profile, kimi = (document.get(key) for key in ("about", "profile", "kimi"))
    if not isinstance(about, str) or not isinstance(profile, dict) or not isinstance(kimi, dict):
        raise ConfigFileError(f"{path}: expected the keys about, profile and kimi")
    return Preset(path.stem, about, profile, kimi)
