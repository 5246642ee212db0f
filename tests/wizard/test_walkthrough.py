"""AMX's documented walkthrough, typed into a real terminal, with a real keyring."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import KEY
from tests.terminal import Screen, held_key, needs_secret_service, secret_service

BLOCK = """\
llm_profiles:
  kimi-thinking:
    provider: kimi
    model: kimi-k2-thinking
    api_base: {base}
    api_key: keyring://amx/kimi-thinking/api_key
    temperature: 0.2
    max_tokens: 4096
    n_alternatives: 3
active_llm_profile: kimi-thinking
"""


@pytest.fixture
def keyring(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    monkeypatch.delenv("AMX_CONFIG_DIR")  # the documented place: ~/.amx
    with secret_service(home.parent) as environment:
        yield environment


def walk(screen: Screen, base: str) -> None:
    """The documented lines, in the documented order."""
    screen.answer("Profile name", "kimi-thinking")
    screen.wait("Provider: kimi")
    screen.answer("Model", "kimi-k2-thinking")
    screen.answer("API base", base)
    screen.answer("API key", KEY)
    screen.wait("temperature of this model is fixed, so it is never sent")
    screen.answer("Output token budget (max_tokens) [4096]")
    screen.answer("Number of alternatives per column [3]")


def holds(folder: Path, text: str) -> list[Path]:
    """The files below `folder` that hold `text`."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path for path in files if text.encode() in path.read_bytes()]


@needs_secret_service
def test_the_documented_walkthrough_offline(home: Path, keyring: dict[str, str]) -> None:
    screen = Screen("add-llm-profile", env=keyring)
    walk(screen, "https://api.moonshot.cn/v1")
    screen.answer("Reasoning effort (low, medium, high) [low]")
    screen.wait("✓ Saved LLM profile 'kimi-thinking' to ~/.amx/config.yml")
    assert screen.end() == 0
    assert "It is now the active profile." in screen.text
    assert "retired kimi-k2-thinking on 2026-05-25; its successor is kimi-k3" in screen.text
    assert "gets at least 32,768" in screen.text
    config = home / "config.yml"
    assert config.read_text() == BLOCK.format(base="https://api.moonshot.cn/v1")
    assert held_key(keyring, "//amx/kimi-thinking/api_key") == KEY
    assert KEY not in screen.text
    assert holds(home.parent, KEY) == []


@needs_secret_service
def test_the_documented_walkthrough_with_a_service(
    home: Path, keyring: dict[str, str], start_sandbox
) -> None:
    sandbox = start_sandbox(keys=(KEY,), balance=12.5)
    screen = Screen("add-llm-profile", env=keyring)
    walk(screen, sandbox.url + "/")
    screen.answer("Reasoning effort (low, medium, high) [low]")
    screen.wait("1,000 columns (an estimate)", "one real test request", "tokens in")
    screen.wait("✓ Saved LLM profile 'kimi-thinking' to ~/.amx/config.yml")
    assert screen.end() == 0
    assert "The key sk-…cdef works: " in screen.text
    assert "balance 12.50" in screen.text
    assert (home / "config.yml").read_text() == BLOCK.format(base=sandbox.url)
    assert [seen.path for seen in sandbox.seen] == [
        "/v1/models",
        "/v1/users/me/balance",
        "/v1/chat/completions",
    ]
    assert holds(home.parent, KEY) == []


@needs_secret_service
def test_an_edited_profile_gets_a_new_key(
    home: Path, keyring: dict[str, str], start_sandbox
) -> None:
    new = "sk-another-0123456789"
    sandbox = start_sandbox(keys=(KEY, new))
    for key in (KEY, new):
        screen = Screen("add-llm-profile", "p", env=keyring)
        screen.answer("Profile name [p]")
        screen.answer("Model [kimi-k2.6]")
        screen.answer("API base", sandbox.url)
        screen.answer("API key", f"Bearer {key}")
        for question in ("Output token", "Number of", "Thinking before"):
            screen.answer(question)
        screen.wait("✓ Saved")
        assert screen.end() == 0
    assert "p exists; Enter keeps each of its values" in screen.text
    assert held_key(keyring, "//amx/p/api_key") == new
    config = (home / "config.yml").read_text()
    assert "keyring://amx/p/api_key" in config
    assert not (home / "kimi.yml").exists()
