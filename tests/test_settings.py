"""Environment variables: what each accepts, and how a wrong one is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amx_kimi.errors import SettingError
from amx_kimi.settings import EFFORTS, VARIABLES, Settings, read_variable


def test_an_empty_environment_gives_the_documented_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AMX_CONFIG_DIR")
    found = Settings.from_environment()
    assert found == Settings(
        api_key=None,
        min_max_tokens=None,
        effort=None,
        silence_seconds=180.0,
        total_seconds=900.0,
        config_dir=Path.home() / ".amx",
        ca_bundle=None,
    )
    assert found == Settings()


@pytest.mark.parametrize(
    ("name", "raw", "attribute", "value"),
    [
        ("AMX_LLM_MIN_MAX_TOKENS", "1", "min_max_tokens", 1),
        ("AMX_LLM_MIN_MAX_TOKENS", " 65536 ", "min_max_tokens", 65_536),
        ("AMX_LLM_MIN_MAX_TOKENS", "10000000", "min_max_tokens", 10_000_000),
        ("AMX_REASONING_EFFORT", "High", "effort", "high"),
        ("AMX_REASONING_EFFORT", "none", "effort", "none"),
        ("AMX_LLM_TIMEOUT_SEC", "0.5", "silence_seconds", 0.5),
        ("AMX_LLM_TIMEOUT_SEC", "86400", "silence_seconds", 86_400.0),
        ("AMX_KIMI_TOTAL_TIMEOUT_SEC", "1800", "total_seconds", 1800.0),
        ("AMX_CONFIG_DIR", "/srv/amx", "config_dir", Path("/srv/amx")),
    ],
)
def test_a_variable_is_read(
    monkeypatch: pytest.MonkeyPatch, name: str, raw: str, attribute: str, value: object
) -> None:
    monkeypatch.setenv(name, raw)
    assert getattr(Settings.from_environment(), attribute) == value


@pytest.mark.parametrize(
    ("name", "raw", "allowed"),
    [
        ("AMX_LLM_MIN_MAX_TOKENS", "0", "a whole number of tokens from 1 to 10000000"),
        ("AMX_LLM_MIN_MAX_TOKENS", "-5", "a whole number"),
        ("AMX_LLM_MIN_MAX_TOKENS", "32k", "a whole number"),
        ("AMX_LLM_MIN_MAX_TOKENS", "3.5", "a whole number"),
        ("AMX_LLM_MIN_MAX_TOKENS", "٣", "a whole number"),
        ("AMX_LLM_MIN_MAX_TOKENS", "10000001", "to 10000000"),
        ("AMX_REASONING_EFFORT", "turbo", "none, minimal, low, medium, high, max"),
        ("AMX_LLM_TIMEOUT_SEC", "soon", "seconds above 0 and up to 86400"),
        ("AMX_LLM_TIMEOUT_SEC", "0", "above 0"),
        ("AMX_LLM_TIMEOUT_SEC", "nan", "above 0"),
        ("AMX_LLM_TIMEOUT_SEC", "inf", "up to 86400"),
        ("AMX_KIMI_TOTAL_TIMEOUT_SEC", "-1", "above 0"),
        ("AMX_CA_BUNDLE", "/no/such/bundle.pem", "PEM file"),
        ("AMX_CA_BUNDLE", "/", "PEM file"),
        ("AMX_CA_BUNDLE", "~nobody-of-this-name/x.pem", "an existing user"),
        ("AMX_CONFIG_DIR", "~nobody-of-this-name/.amx", "an existing user"),
    ],
)
def test_a_wrong_value_names_variable_value_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, raw: str, allowed: str
) -> None:
    monkeypatch.setenv(name, raw)
    with pytest.raises(SettingError) as caught:
        Settings.from_environment()
    text = str(caught.value)
    assert name in text
    assert repr(raw) in text
    assert allowed in text
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", sorted(VARIABLES))
@pytest.mark.parametrize("blank", ["", "   ", "\t\n"])
def test_a_blank_variable_counts_as_unset(
    monkeypatch: pytest.MonkeyPatch, name: str, blank: str
) -> None:
    monkeypatch.delenv("AMX_CONFIG_DIR")
    monkeypatch.setenv(name, blank)
    assert Settings.from_environment() == Settings()
    assert read_variable(name) is None


def test_the_key_is_trimmed_and_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMX_LLM_API_KEY", "  sk-very-secret-0123456789\n")
    found = Settings.from_environment()
    assert found.api_key is not None
    assert found.api_key.reveal() == "sk-very-secret-0123456789"
    assert "secret" not in repr(found)


def test_the_home_folder_is_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AMX_CONFIG_DIR", "~/elsewhere")
    (tmp_path / "home" / "ca.pem").write_text("x")
    monkeypatch.setenv("AMX_CA_BUNDLE", "~/ca.pem")
    found = Settings.from_environment()
    assert found.config_dir == tmp_path / "home" / "elsewhere"
    assert found.ca_bundle == tmp_path / "home" / "ca.pem"


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1))
def test_any_effort_is_one_of_the_six_or_refused(raw: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AMX_REASONING_EFFORT", raw)
        if raw.strip() and raw.strip().lower() not in EFFORTS:
            with pytest.raises(SettingError, match="AMX_REASONING_EFFORT"):
                Settings.from_environment()
        else:
            assert Settings.from_environment().effort == (raw.strip().lower() or None)


def test_the_environment_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setenv("AMX_LLM_TIMEOUT_SEC", "5")
    before = dict(os.environ)
    Settings.from_environment()
    assert dict(os.environ) == before
