"""Drafts: what is written where, in which order, and that a failure leaves nothing behind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from amx_kimi.config import (
    Draft,
    KeyChoice,
    draft_key,
    draft_of,
    draft_profile,
    find_key,
    load_profile,
    save_draft,
)
from amx_kimi.errors import ConfigError, ConfigFileError, KeyringError, MissingKeyError
from amx_kimi.settings import Settings
from amx_kimi.types import Secret

from .conftest import Shelf

Write = Callable[[str, str], Path]
KEY = Secret("sk-0123456789abcdef")
BASE = {"model": "kimi-k2.6", "api_base": "https://api.moonshot.cn/v1"}


def read(home: Path, name: str = "config.yml") -> Any:
    path = home / name
    return yaml.safe_load(path.read_text()) if path.exists() else None


def fresh(settings: Settings, **key: Any) -> Draft:
    return draft_of("p", settings).with_fields(**BASE).with_key(KeyChoice(**key))


@pytest.mark.usefixtures("shelf")
def test_a_key_in_the_keyring(home: Path, settings: Settings) -> None:
    save_draft(fresh(settings, kind="store", secret=KEY), settings, activate=True)
    text = (home / "config.yml").read_text()
    assert text == (
        "llm_profiles:\n"
        "  p:\n"
        "    provider: kimi\n"
        "    model: kimi-k2.6\n"
        "    api_base: https://api.moonshot.cn/v1\n"
        "    api_key: keyring://amx/p/api_key\n"
        "    temperature: 0.2\n"
        "    max_tokens: 4096\n"
        "    n_alternatives: 3\n"
        "active_llm_profile: p\n"
    )
    assert not (home / "kimi.yml").exists()
    found = find_key(load_profile("p", settings), settings)
    assert found.secret == KEY


@pytest.mark.parametrize(
    ("key", "api_key", "overlay"),
    [
        ({"kind": "clear", "secret": KEY}, KEY.reveal(), None),
        ({"kind": "blank"}, "", None),
        ({"kind": "reference", "reference": "env:K"}, "", {"api_key_ref": "env:K"}),
    ],
)
def test_other_places(
    home: Path, settings: Settings, key: dict[str, Any], api_key: str, overlay: Any
) -> None:
    save_draft(fresh(settings, **key), settings, activate=False)
    assert read(home)["llm_profiles"]["p"]["api_key"] == api_key
    assert (read(home, "kimi.yml") or {}).get("profiles", {}).get("p") == overlay


def test_an_edited_profile_keeps_what_was_not_asked(
    write: Write, home: Path, settings: Settings
) -> None:
    write("config.yml", "llm_profiles: {p: {provider: kimi, model: kimi-k3, future: 1}}  # mine\n")
    write("kimi.yml", "profiles: {p: {tier: 1, api_key_ref: 'env:OLD'}}\n")
    draft = draft_of("p", settings).with_fields(model="kimi-k2.6")
    save_draft(draft, settings, activate=False)
    assert read(home)["llm_profiles"]["p"] == {
        "provider": "kimi",
        "model": "kimi-k2.6",
        "future": 1,
    }
    assert "# mine" in (home / "config.yml").read_text()
    assert read(home, "kimi.yml")["profiles"]["p"] == {"tier": 1, "api_key_ref": "env:OLD"}
    save_draft(draft.with_key(KeyChoice("blank")), settings, activate=False)
    assert read(home, "kimi.yml")["profiles"]["p"] == {"tier": 1}


@pytest.mark.usefixtures("shelf")
def test_the_key_of_a_draft(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert draft_key(fresh(settings, kind="store", secret=KEY), settings).secret == KEY
    with pytest.raises(MissingKeyError):
        draft_key(fresh(settings, kind="blank"), settings)
    monkeypatch.setenv("K", "sk-from-the-environment")
    found = draft_key(fresh(settings, kind="reference", reference="env:K"), settings)
    assert found.where == "kimi.yml: api_key_ref env:K"
    keyless = fresh(settings, kind="blank").with_overlay(auth="none")
    assert draft_key(keyless, settings).secret is None
    assert draft_profile(keyless, settings).endpoint.auth == "none"


@pytest.mark.parametrize("before", [None, "sk-the-one-before"])
def test_a_file_that_refuses_leaves_the_keyring_as_it_was(
    shelf: Shelf, home: Path, settings: Settings, before: str | None
) -> None:
    shelf.held.clear()
    if before:
        shelf.held["//amx/p/api_key"] = before
    home.mkdir()
    (home / "config.yml").mkdir()
    with pytest.raises(ConfigFileError, match=r"config\.yml"):
        save_draft(fresh(settings, kind="store", secret=KEY), settings, activate=True)
    assert shelf.held.get("//amx/p/api_key") == before


def test_a_keyring_that_refuses_leaves_the_files_as_they_were(
    shelf: Shelf, home: Path, settings: Settings
) -> None:
    shelf.locked = True
    with pytest.raises(KeyringError, match="locked"):
        save_draft(fresh(settings, kind="store", secret=KEY), settings, activate=True)
    assert not home.exists()


@pytest.mark.parametrize("target", ["elsewhere.yml", "nowhere.yml"])
def test_a_config_that_is_a_link(home: Path, settings: Settings, target: str) -> None:
    home.mkdir()
    (home / "elsewhere.yml").write_text("llm_profiles: {}\n")
    (home / "config.yml").symlink_to(home / target)
    with pytest.raises(ConfigFileError, match="is a link to"):
        save_draft(fresh(settings, kind="blank"), settings, activate=True)
    assert (home / "elsewhere.yml").read_text() == "llm_profiles: {}\n"
    assert (home / "config.yml").is_symlink()
    assert not (home / "nowhere.yml").exists()


def test_another_providers_profile_is_not_written_over(write: Write, settings: Settings) -> None:
    write("config.yml", "llm_profiles: {p: {provider: openai, model: gpt}}\n")
    with pytest.raises(ConfigError, match="for the provider 'openai'"):
        draft_of("p", settings)
