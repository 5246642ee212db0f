"""Removing, renaming and changing profiles, and what else names them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from amx_kimi.config import (
    active_profile,
    load_profile,
    remove_profile,
    rename_profile,
    set_aliases,
    set_fields,
)
from amx_kimi.config import os_keyring as vault
from amx_kimi.errors import ConfigError, ConfigFileError, KeyringError, UnknownProfileError
from amx_kimi.settings import Settings

from .conftest import Shelf

Write = Callable[[str, str], Path]
CONFIG = """\
llm:
  provider: kimi
  model: kimi-k3
  api_key: keyring:llm_profiles/night/api_key
llm_profiles:
  # dark
  night: {provider: kimi, model: kimi-k3, api_key: 'keyring://amx/night/api_key'}
  day: {provider: kimi, model: kimi-k2.6, api_key: 'keyring:llm_profiles/day/api_key'}
  gpt: {provider: openai, model: gpt}
active_llm_profile: night
rag_llm_profile: night
mine: kept
"""
OURS = """\
profiles:
  night: {tier: 1}  # ours
  day: {effort: high}
"""


@pytest.fixture
def files(write: Write, home: Path) -> Callable[[], tuple[Any, Any]]:
    write("config.yml", CONFIG)
    write("kimi.yml", OURS)
    return lambda: tuple(
        yaml.safe_load((home / name).read_text()) for name in ("config.yml", "kimi.yml")
    )


def test_removing_the_active_profile(shelf: Shelf, files: Any, settings: Settings) -> None:
    removed = remove_profile(settings, "night")
    assert (removed.active, removed.secrets, removed.problem) == ("day", 2, "")
    config, ours = files()
    assert list(config["llm_profiles"]) == ["day", "gpt"]
    assert (config["active_llm_profile"], config["rag_llm_profile"]) == ("day", "")
    assert "llm" not in config
    assert config["mine"] == "kept"
    assert ours == {"profiles": {"day": {"effort": "high"}}}
    assert sorted(shelf.held) == ["//amx/day/api_key", "llm_profiles/day/api_key"]


def test_removing_another_one(shelf: Shelf, files: Any, settings: Settings) -> None:
    assert remove_profile(settings, "day").active == "night"
    config, ours = files()
    assert (config["active_llm_profile"], config["rag_llm_profile"]) == ("night", "night")
    assert config["llm"]["model"] == "kimi-k3"
    assert list(ours["profiles"]) == ["night"]
    assert "//amx/night/api_key" in shelf.held


@pytest.mark.usefixtures("shelf")
def test_removing_the_last_ones(files: Any, settings: Settings) -> None:
    for name in ("night", "day", "gpt"):
        remove_profile(settings, name)
    config, _ = files()
    assert config["llm_profiles"] == {}
    assert not config["active_llm_profile"]
    assert active_profile(settings) is None


@pytest.mark.usefixtures("files")
def test_a_key_that_another_profile_uses_stays(
    shelf: Shelf, write: Write, settings: Settings
) -> None:
    write("config.yml", CONFIG.replace("keyring:llm_profiles/day/", "keyring://amx/night/"))
    assert remove_profile(settings, "night").secrets == 1
    assert "//amx/night/api_key" in shelf.held


def test_a_removal_with_a_locked_keyring_is_finished_later(
    shelf: Shelf, files: Any, settings: Settings
) -> None:
    shelf.locked = True
    assert "locked" in remove_profile(settings, "night").problem
    assert "night" not in files()[0]["llm_profiles"]
    shelf.locked = False
    assert remove_profile(settings, "night").secrets == 2
    with pytest.raises(UnknownProfileError, match="nigh"):
        remove_profile(settings, "night")


def test_renaming(shelf: Shelf, files: Any, settings: Settings) -> None:
    rename_profile(settings, "night", "2026")
    config, ours = files()
    assert list(map(str, config["llm_profiles"])) == ["2026", "day", "gpt"]
    assert config["llm_profiles"]["2026"]["api_key"] == "keyring://amx/2026/api_key"
    assert (config["active_llm_profile"], config["rag_llm_profile"]) == ("2026", "2026")
    assert ours["profiles"] == {"2026": {"tier": 1}, "day": {"effort": "high"}}
    assert shelf.held["//amx/2026/api_key"] == "sk-night-0123456789"
    assert not [slot for slot in shelf.held if "night" in slot]
    profile = load_profile(settings=settings)
    assert (profile.name, profile.overlay.tier) == ("2026", 1)


def test_renaming_where_the_keyring_is_locked(shelf: Shelf, files: Any, settings: Settings) -> None:
    before = files()
    shelf.locked = True
    with pytest.raises(KeyringError, match="locked"):
        rename_profile(settings, "night", "noon")
    assert files() == before


@pytest.mark.usefixtures("shelf")
def test_renaming_takes_nothing_of_an_earlier_one(
    write: Write, files: Any, settings: Settings
) -> None:
    write("kimi.yml", OURS + "  noon: {api_key_ref: 'env:OLD'}\n")
    rename_profile(settings, "night", "noon")
    assert files()[1]["profiles"]["noon"] == {"tier": 1}


@pytest.mark.parametrize(
    ("new", "part"), [("day", "already"), ("a/b", "not allowed"), ("", "name")]
)
@pytest.mark.usefixtures("files")
def test_names_that_are_no_way_out(settings: Settings, new: str, part: str) -> None:
    with pytest.raises(ConfigError, match=part):
        rename_profile(settings, "night", new)
    with pytest.raises(UnknownProfileError, match="Did you mean night"):
        rename_profile(settings, "nigth", "x")


def test_single_fields(files: Any, settings: Settings) -> None:
    changes = {"max_tokens": "8192", "temperature": "0.3", "tier": "2", "effort": "max"}
    set_fields(settings, "day", {**changes, "thinking": "true", "model": "1e3"})
    config, ours = files()
    assert config["llm_profiles"]["day"] == {
        "provider": "kimi",
        "model": "1e3",
        "api_key": "keyring:llm_profiles/day/api_key",
        "max_tokens": 8192,
        "temperature": 0.3,
    }
    assert ours["profiles"]["day"] == {"effort": "max", "tier": 2, "thinking": True}
    set_fields(settings, "day", {"max_tokens": "", "effort": "", "tier": "", "thinking": ""})
    assert "max_tokens" not in files()[0]["llm_profiles"]["day"]
    assert load_profile("day", settings).overlay.effort is None


def test_a_reference_leaves_amx_key_blank(files: Any, settings: Settings) -> None:
    set_fields(settings, "day", {"api_key_ref": "env:KIMI_KEY"})
    config, ours = files()
    assert config["llm_profiles"]["day"]["api_key"] == ""
    assert ours["profiles"]["day"]["api_key_ref"] == "env:KIMI_KEY"


@pytest.mark.parametrize(
    ("field", "value", "part"),
    [
        ("api_key", "sk-0123456789abcdef", "shell's history"),
        ("provider", "openai", "Unknown field"),
        ("modle", "kimi-k3", "Unknown field"),
        ("n_alternatives", "6", "from 1 to 5"),
        ("temperature", "hot", "from 0 to 2"),
        ("tier", "9", "no tier 9"),
        ("effort", "huge", "not one of"),
        ("endpoint", "moonshot-c", "Did you mean"),
        ("api_base", "http://example.com", "unencrypted"),
        ("api_key_ref", "sk-0123456789abcdef", "must be env:NAME"),
        ("model", "", "model is blank"),
        ("concurrency", "0", "above zero"),
    ],
)
def test_fields_that_are_refused(
    files: Any, settings: Settings, field: str, value: str, part: str
) -> None:
    before = files()
    with pytest.raises(ConfigError, match=part) as caught:
        set_fields(settings, "day", {"max_tokens": "1", field: value})
    assert files() == before
    assert "sk-0123" not in str(caught.value)


@pytest.mark.usefixtures("files")
def test_an_api_base_goes_before_an_endpoint_of_before(settings: Settings) -> None:
    set_fields(settings, "day", {"endpoint": "openrouter"})
    assert load_profile("day", settings).base_url == "https://openrouter.ai/api/v1"
    set_fields(settings, "day", {"api_base": "localhost:8000/v1/chat/completions"})
    assert load_profile("day", settings).base_url == "http://localhost:8000/v1"


@pytest.mark.usefixtures("files")
def test_aliases(settings: Settings) -> None:
    assert set_aliases(settings, {"k2": "kimi-k2.6", "off": "kimi-k3"}) == {
        "k2": "kimi-k2.6",
        "off": "kimi-k3",
    }
    set_fields(settings, "day", {"model": "off"})
    assert load_profile("day", settings).model == "kimi-k3"
    assert set_aliases(settings, {"k2": ""}) == {"off": "kimi-k3"}
    assert "# ours" in (settings.config_dir / "kimi.yml").read_text()


@pytest.mark.parametrize(
    "bad", ["llm_profiles: [\n", "schema_version: 4\nllm_profiles: {day: {}}\n"]
)
def test_what_cannot_be_read_is_not_written(write: Write, settings: Settings, bad: str) -> None:
    path = write("config.yml", bad)
    for call in (
        lambda: remove_profile(settings, "day"),
        lambda: rename_profile(settings, "day", "x"),
        lambda: set_fields(settings, "day", {"max_tokens": "1"}),
    ):
        with pytest.raises(ConfigFileError):
            call()
    assert path.read_text() == bad


def test_a_keyring_that_never_answers(
    monkeypatch: pytest.MonkeyPatch, shelf: Shelf, request: pytest.FixtureRequest
) -> None:
    import threading

    free = threading.Event()
    request.addfinalizer(free.set)
    monkeypatch.setattr(shelf, "get_password", lambda *_: free.wait() and None)
    monkeypatch.setattr(vault, "_PATIENCE", 0.05)
    with pytest.raises(KeyringError, match="did not answer"):
        vault.keyring_get("//amx/p/api_key")
