"""The preset profiles: each loads as what it promises."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from amx_kimi.config import find_key, load_preset, load_presets, load_profile, save_profile
from amx_kimi.config import presets as module
from amx_kimi.config.overlay import OverlayFile
from amx_kimi.errors import ConfigError, ConfigFileError
from amx_kimi.facts import load_catalog, match_endpoint
from amx_kimi.policy import plan
from amx_kimi.settings import Settings
from amx_kimi.types import Ask

# name, model on the wire, endpoint, alternatives, thinks
PRESETS = [
    ("kimi-bulk", "kimi-k2.6", "moonshot-ai", 1, False),
    ("kimi-deep", "kimi-k3", "moonshot-ai", 3, True),
    ("kimi-thinking", "kimi-k2-thinking", "moonshot-cn", 3, True),
    ("kimi-openrouter", "moonshotai/kimi-k2.6", "openrouter", 3, False),
    ("kimi-coding", "kimi-for-coding", "kimi-coding", 3, True),
    ("cliproxy", "kimi-for-coding", "cliproxy", 3, True),
    ("self-hosted", "moonshotai/Kimi-K2-Thinking", "any", 3, True),
]


def test_no_preset_is_missing() -> None:
    assert sorted(load_presets()) == sorted(row[0] for row in PRESETS)
    assert all(preset.about for preset in load_presets().values())


@pytest.mark.parametrize(("name", "wire", "endpoint", "alternatives", "thinks"), PRESETS)
def test_a_preset_resolves_to_a_valid_profile(
    home: Path, name: str, wire: str, endpoint: str, alternatives: int, thinks: bool
) -> None:
    preset = load_preset(name, OverlayFile())
    assert preset.name == name
    save_profile(home, name, preset.profile, preset.kimi, activate=True)
    profile = load_profile()
    decided = plan(profile, profile.facts(), Settings(), Ask([], 100))
    assert (profile.endpoint.name, profile.n_alternatives) == (endpoint, alternatives)
    assert decided.body["model"] == wire
    assert decided.thinking == thinks
    assert profile.facts().known
    # AMX calls OpenAI's host where api_base is null.
    assert profile.api_base == profile.base_url
    assert not profile.api_key


def test_what_a_preset_says_beyond_its_model(home: Path) -> None:
    bodies: dict[str, dict[str, Any]] = {}
    for name, preset in load_presets().items():
        save_profile(home, name, preset.profile, preset.kimi)
        profile = load_profile(name)
        bodies[name] = plan(profile, profile.facts(), Settings(), Ask([], 100)).body
    assert bodies["kimi-bulk"]["thinking"] == {"type": "disabled"}
    assert bodies["kimi-deep"]["reasoning_effort"] == "high"
    assert bodies["kimi-thinking"]["max_tokens"] == 32_768
    assert bodies["kimi-thinking"]["reasoning"] == {"effort": "low"}
    prices = load_profile("self-hosted").facts().prices
    assert prices is not None
    assert prices.output == 0


def test_a_self_hosted_endpoint_needs_no_key(home: Path) -> None:
    preset = load_preset("self-hosted", OverlayFile())
    save_profile(home, "own", preset.profile, preset.kimi, activate=True)
    found = find_key(load_profile(), Settings.from_environment())
    assert found.secret is None
    assert found.where == "none needed at http://127.0.0.1:8000/v1"


@pytest.mark.parametrize("name", [row[0] for row in PRESETS if row[0] != "kimi-thinking"])
def test_a_presets_model_is_served_where_it_points(name: str) -> None:
    preset = load_preset(name, OverlayFile())
    row = load_catalog().model(preset.profile["model"])
    own = name in ("kimi-bulk", "kimi-deep", "kimi-coding")
    assert row.live or not own


@pytest.mark.parametrize("name", [row[0] for row in PRESETS])
def test_every_preset_goes_where_kimi_yml_says_that_its_endpoint_is(name: str) -> None:
    usual = load_preset(name, OverlayFile()).profile["api_base"]
    row = match_endpoint(load_catalog(), usual)
    gateway = replace(row, url="https://llm.example.com/kimi/v1")
    others = {
        one.name: replace(one, url=f"https://llm.example.com/{one.name}")
        for one in load_catalog().endpoints
        if one.name != row.name
    }
    here = load_preset(name, OverlayFile(endpoints={row.name: gateway, **others}))
    assert here.profile["api_base"] == gateway.url
    assert load_preset(name, OverlayFile(endpoints=others)).profile["api_base"] == usual


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("kimi-k2.6", "moonshot-ai"),
        ("kimi-for-coding", "kimi-coding"),
        ("moonshotai/kimi-k2.6", "openrouter"),
        ("of-tomorrow", "moonshot-ai"),
        ("", "moonshot-ai"),
    ],
)
def test_the_usual_endpoint_of_a_model(model: str, name: str) -> None:
    row = load_catalog().endpoint(name)
    assert row is not None
    gateway = replace(row, url="https://llm.example.com/v1")
    assert OverlayFile().usual_for(model) == row
    assert OverlayFile(endpoints={name: gateway}).usual_for(model) == gateway


def test_an_unknown_preset() -> None:
    with pytest.raises(ConfigError, match=r"No preset 'kimi-blk'. Did you mean kimi-bulk"):
        load_preset("kimi-blk", OverlayFile())


@pytest.mark.parametrize(
    "text",
    [
        "about: x\nprofile: {}\n",
        "about: x\nkimi: {}\n",
        "profile: {}\nkimi: {}\n",
        "about: 3\nprofile: {}\nkimi: {}\n",
        "about: x\nprofile: [a]\nkimi: {}\n",
    ],
)
def test_a_malformed_preset_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "odd.yml").write_text(text)
    monkeypatch.setattr(module, "__file__", str(tmp_path / "config" / "presets.py"))
    with pytest.raises(ConfigFileError, match=r"odd\.yml: expected the keys about, profile and"):
        load_presets()
