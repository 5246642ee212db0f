"""Profiles out of AMX's `config.yml`: its fields, defaults, active profile, and what goes wrong."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st

from amx_kimi.config import AMX_DEFAULTS, active_profile, load_profile, profile_names
from amx_kimi.errors import ConfigError, ConfigFileError, UnknownProfileError
from amx_kimi.settings import Settings

Write = Callable[[str, str], Path]

DOCUMENTED = """
llm_profiles:
  kimi-thinking:
    provider: kimi
    model: kimi-k2-thinking
    api_base: https://api.moonshot.cn/v1
    api_key: keyring://amx/kimi-thinking/api_key
    temperature: 0.2
    n_alternatives: 3
active_llm_profile: kimi-thinking
"""


def one(**fields: object) -> str:
    entry = {"provider": "kimi", "model": "kimi-k2.6", **fields}
    return yaml.safe_dump({"schema_version": 3, "llm_profiles": {"p": entry}})


def test_the_block_of_amxs_documentation(write: Write) -> None:
    write("config.yml", DOCUMENTED)
    profile = load_profile()
    assert profile.name == "kimi-thinking"
    assert profile.model == "kimi-k2-thinking"
    assert profile.endpoint.name == "moonshot-cn"
    assert profile.base_url == "https://api.moonshot.cn/v1"
    assert profile.api_key == "keyring://amx/kimi-thinking/api_key"
    assert (profile.temperature, profile.n_alternatives) == (0.2, 3)
    assert (profile.max_tokens, profile.column_batch_size) == (16_384, 10)
    assert profile.language == "english"


def test_amxs_defaults_are_the_documented_ones() -> None:
    assert AMX_DEFAULTS == {
        "provider": "",
        "model": "",
        "language": "english",
        "api_key": "",
        "api_base": None,
        "temperature": 0.2,
        "max_tokens": 16384,
        "completion_mode": "chat_completions",
        "n_alternatives": 3,
        "column_batch_size": 10,
        "batch_context_column_names": 0,
        "prompt_detail": "standard",
        "description_verbosity": "brief",
        "logprob_high": 0.85,
        "logprob_medium": 0.5,
        "force_logprobs": True,
        "thinking_budget": 1024,
        "custom_input_cost_per_mtok": None,
        "custom_output_cost_per_mtok": None,
        "rag_query_timeout_sec": 5.0,
        "confidence_signal": "self_consistency",
        "alternatives_mode": "semantic",
        "confidence": {"enabled": True, "bands": {"high": 0.75, "med": 0.5}},
    }


def test_a_profile_with_all_of_amxs_fields_loads_as_one_with_none(write: Write) -> None:
    full = {**AMX_DEFAULTS, "provider": "kimi", "model": "kimi-k2.6"}
    write("config.yml", yaml.safe_dump({"llm_profiles": {"p": full}}))
    every = load_profile()
    write("config.yml", one())
    assert load_profile() == every


@pytest.mark.parametrize(
    ("field", "value", "read"),
    [
        ("temperature", "0.7", 0.7),
        ("temperature", 1, 1.0),
        ("temperature", 0, 0.0),
        ("max_tokens", "4096", 4096),
        ("max_tokens", 4096.7, 4096),
        ("n_alternatives", 9, 5),
        ("n_alternatives", 0, 1),
        ("n_alternatives", -2, 1),
        ("n_alternatives", "4", 4),
        ("column_batch_size", 25, 25),
        ("force_logprobs", False, False),
        ("force_logprobs", 0, False),
        ("logprob_high", 0.9, 0.9),
        ("logprob_medium", 0.4, 0.4),
        ("language", "Deutsch", "Deutsch"),
        ("language", " Deutsch ", "Deutsch"),
        ("language", "", "english"),
        ("language", "  ", "english"),
        ("language", None, "english"),
        ("description_verbosity", "detailed", "detailed"),
        ("api_key", None, ""),
        ("api_key", "  sk-abc \n", "sk-abc"),
        ("api_base", "", None),
        ("api_base", None, None),
        ("model", " kimi-k3 ", "kimi-k3"),
        ("custom_input_cost_per_mtok", "", None),
        ("custom_input_cost_per_mtok", "0.6", 0.6),
        ("custom_output_cost_per_mtok", 0, 0.0),
    ],
)
def test_a_field_is_read_as_amx_reads_it(
    write: Write, field: str, value: object, read: object
) -> None:
    write("config.yml", one(**{field: value}))
    found = getattr(load_profile(), field)
    assert found == read
    assert type(found) is type(read)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_tokens", "auto"),
        ("max_tokens", None),
        ("max_tokens", 0),
        ("max_tokens", True),
        ("max_tokens", float("inf")),
        ("max_tokens", [1]),
        ("n_alternatives", "many"),
        ("n_alternatives", None),
        ("n_alternatives", float("inf")),
        ("column_batch_size", -1),
        ("temperature", "hot"),
        ("temperature", float("nan")),
        ("temperature", -0.1),
        ("logprob_high", None),
        ("custom_output_cost_per_mtok", "free"),
        ("custom_output_cost_per_mtok", -1),
    ],
)
def test_a_value_of_another_kind_names_file_profile_field_and_default(
    write: Write, home: Path, field: str, value: object
) -> None:
    write("config.yml", one(**{field: value}))
    with pytest.raises(ConfigFileError) as caught:
        load_profile()
    text = str(caught.value)
    assert f"{home / 'config.yml'}, profile 'p': {field} is {value!r}" in text
    assert f"AMX's default is {AMX_DEFAULTS[field]}" in text


def test_unknown_keys_are_passed_over(write: Write) -> None:
    write("config.yml", one(future_field=7, confidence="odd") + "rag_llm_profile: p\n")
    assert load_profile().model == "kimi-k2.6"


def test_own_prices_come_as_a_pair_or_not_at_all(write: Write) -> None:
    write("config.yml", one(custom_input_cost_per_mtok=0.1, custom_output_cost_per_mtok=0.3))
    prices = load_profile().facts().prices
    assert prices is not None
    assert (prices.hit, prices.miss, prices.output) == tuple(map(Decimal, ("0.1", "0.1", "0.3")))
    write("config.yml", one(custom_input_cost_per_mtok=0.1))
    assert (listed := load_profile().facts().prices) is not None
    assert listed.miss == Decimal("0.95")


def test_the_key_is_not_in_a_profiles_repr(write: Write) -> None:
    write("config.yml", one(api_key="sk-very-secret-0123456789"))
    assert "secret" not in repr(load_profile())


# --- which profile

THREE = """
llm_profiles:
  first: {provider: openai, model: gpt}
  2026: {provider: kimi, model: kimi-k3}
  third: {provider: kimi, model: kimi-k2.6}
"""


@pytest.mark.parametrize(
    ("active", "found"),
    [
        ("third", "third"),
        ("'2026'", "2026"),
        ("2026", "2026"),
        ("gone", "first"),
        ("''", "first"),
        ("null", "first"),
        ("off", "first"),
    ],
)
def test_the_active_profile(write: Write, settings: Settings, active: str, found: str) -> None:
    write("config.yml", THREE + f"active_llm_profile: {active}\n")
    assert active_profile(settings) == found


def test_without_an_active_profile_it_is_default_or_the_first(
    write: Write, settings: Settings
) -> None:
    write("config.yml", THREE)
    assert active_profile(settings) == "first"
    write("config.yml", THREE + "  default: {provider: kimi, model: kimi-k3}\n")
    assert active_profile(settings) == "default"


@pytest.mark.parametrize("text", ["", "llm_profiles:\n", "llm_profiles: {}\n", "# nothing\n", None])
def test_no_profile_at_all(write: Write, settings: Settings, text: str | None) -> None:
    if text is not None:
        write("config.yml", text)
    assert active_profile(settings) is None
    assert profile_names(settings) == {}
    with pytest.raises(UnknownProfileError, match=r"config\.yml has no LLM profile"):
        load_profile()


def test_an_entry_that_is_no_mapping_is_passed_over(write: Write, settings: Settings) -> None:
    write("config.yml", "llm_profiles:\n  a:\n  b: {provider: kimi, model: kimi-k3}\n")
    assert active_profile(settings) == "b"
    assert load_profile().name == "b"
    assert profile_names(settings) == {"a": "", "b": "kimi"}
    with pytest.raises(ConfigFileError, match="profile 'a': expected a mapping of fields"):
        load_profile("a")


def test_only_an_entry_that_is_no_mapping(write: Write) -> None:
    write("config.yml", "llm_profiles: {a: text}\n")
    with pytest.raises(ConfigFileError, match="profile 'a': expected a mapping of fields"):
        load_profile()


def test_names_and_providers_in_file_order(write: Write, settings: Settings) -> None:
    write("config.yml", THREE)
    assert list(profile_names(settings).items()) == [
        ("first", "openai"),
        ("2026", "kimi"),
        ("third", "kimi"),
    ]


def test_a_profile_by_name(write: Write) -> None:
    write("config.yml", THREE + "active_llm_profile: first\n")
    assert load_profile("2026").model == "kimi-k3"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("thrid", "Did you mean third?"),
        ("zzz", "Known: first, 2026, third."),
    ],
)
def test_an_unknown_profile(write: Write, name: str, hint: str) -> None:
    write("config.yml", THREE)
    with pytest.raises(UnknownProfileError) as caught:
        load_profile(name)
    assert repr(name) in str(caught.value)
    assert hint in str(caught.value)
    assert caught.value.exit_code == 2


def test_another_providers_profile(write: Write) -> None:
    write("config.yml", THREE)
    with pytest.raises(ConfigError) as caught:
        load_profile("first")
    assert "'first' is for the provider 'openai', not 'kimi'" in str(caught.value)
    assert "2026, third" in caught.value.remedy
    write("config.yml", "llm_profiles: {a: {model: x}}\n")
    with pytest.raises(ConfigError, match="Add a kimi profile"):
        load_profile()


@pytest.mark.parametrize("model", ["", "  ", None])
def test_a_blank_model(write: Write, model: object) -> None:
    write("config.yml", one(model=model))
    with pytest.raises(ConfigFileError, match="profile 'p': model is blank"):
        load_profile()


# --- broken files


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("llm_profiles:\n  a: {\n", 3),
        ("a: 1\nb: [1\nc: 2\n", 3),
        ("a: 1\n\tb: 2\n", 2),
        ("a: b: c\n", 1),
        ("x: 1\ny: *nowhere\n", 2),
    ],
)
def test_broken_yaml_names_file_and_line(write: Write, text: str, line: int) -> None:
    path = write("config.yml", text)
    with pytest.raises(ConfigFileError) as caught:
        load_profile()
    assert f"{path}, line {line}: not valid YAML" in str(caught.value)


@pytest.mark.parametrize("text", ["- 1\n- 2\n", "just text", "7"])
def test_a_file_that_is_no_mapping(write: Write, text: str) -> None:
    path = write("config.yml", text)
    with pytest.raises(ConfigFileError, match="expected a mapping at the top") as caught:
        load_profile()
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["day: 2026-13-45\n", "a: 0x_\n", "a: \x07\n"])
def test_yaml_that_names_no_line(write: Write, text: str) -> None:
    path = write("config.yml", text)
    with pytest.raises(ConfigFileError, match="not valid YAML") as caught:
        load_profile()
    assert str(path) in str(caught.value)


def test_a_file_that_is_no_utf8(home: Path) -> None:
    home.mkdir()
    (home / "config.yml").write_bytes(b"a: \xff\xfe\n")
    with pytest.raises(ConfigFileError, match="cannot be read"):
        load_profile()


def test_a_folder_in_the_files_place(home: Path) -> None:
    (home / "config.yml").mkdir(parents=True)
    with pytest.raises(ConfigFileError, match="cannot be read"):
        load_profile()


@pytest.mark.parametrize("section", ["[a, b]", "text", "3"])
def test_profiles_that_are_no_mapping(write: Write, section: str) -> None:
    write("config.yml", f"llm_profiles: {section}\n")
    with pytest.raises(ConfigFileError, match="llm_profiles must be a mapping"):
        load_profile()


@pytest.mark.parametrize(("version", "loads"), [(1, True), (2, True), (3, True), (4, False)])
def test_the_schema_version(write: Write, version: int, loads: bool) -> None:
    write("config.yml", DOCUMENTED + f"schema_version: {version}\n")
    if loads:
        assert load_profile().name == "kimi-thinking"
        return
    with pytest.raises(ConfigFileError, match="schema_version 4") as caught:
        load_profile()
    assert "Upgrade amx-kimi" in caught.value.remedy


@given(text=st.text(max_size=60))
@limits(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_a_configuration_or_a_clear_error(home: Path, text: str) -> None:
    home.mkdir(exist_ok=True)
    (home / "config.yml").write_text("llm_profiles:\n  p: " + text, "utf-8")
    message = "config.yml"
    try:
        load_profile()
    except ConfigError as error:
        message = str(error)
    assert "config.yml" in message or "provider" in message or "API base" in message


VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just([1])
)


@given(fields=st.dictionaries(st.sampled_from(sorted(AMX_DEFAULTS)), VALUES, max_size=6))
@limits(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_field_is_in_range_or_refused(home: Path, fields: dict[str, Any]) -> None:
    home.mkdir(exist_ok=True)
    (home / "config.yml").write_text(one(**fields), "utf-8")
    try:
        profile = load_profile()
    except ConfigError:
        return
    assert 1 <= profile.n_alternatives <= 5
    assert profile.max_tokens >= 1
    assert profile.column_batch_size >= 1
    assert 0 <= profile.temperature < float("inf")
    assert profile.language
