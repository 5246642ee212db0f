"""What people type and paste, made into values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amx_kimi.config import (
    RANGES,
    check_name,
    check_number,
    clean_key,
    endpoint_url,
    near_model,
)
from amx_kimi.config.overlay import OverlayFile, parse_overlay
from amx_kimi.errors import ConfigError

KEY = "sk-0123456789abcdef"
OURS = parse_overlay(
    {"endpoints": {"gate": {"url": "https://llm.example.com/kimi/v1"}}}, "kimi.yml"
)


@pytest.mark.parametrize(
    "name", ["kimi", "kimi-thinking", "K2.6_bulk", "0", "null", "off", "a" * 64]
)
def test_names(name: str) -> None:
    assert check_name(f" {name} ") == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "  ",
        "a/b",
        "../x",
        "a b",
        "a\nb",
        "a" * 65,
        "a" * 200,
        ".hidden",
        "ends.",
        "-x",
        "ü",
        "a:b",
    ],
)
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        check_name(name)


@pytest.mark.parametrize(
    "pasted",
    [
        KEY,
        f"  {KEY}\n",
        f"Bearer {KEY}",
        f"bearer   {KEY}\r\n",
        f"Authorization: Bearer {KEY}",
        f'"{KEY}"',
        f"'Bearer {KEY}'",
        f"Bearer '{KEY}'",
        f"“{KEY}”",
        f"\ufeff{KEY}\u200b",
    ],
)
def test_pasted_keys(pasted: str) -> None:
    assert clean_key(pasted).reveal() == KEY


@pytest.mark.parametrize(
    "pasted",
    [
        "https://api.moonshot.ai/v1",
        "Bearer https://api.moonshot.ai/v1",
        "platform.kimi.ai/console/api-keys",
        "www.kimi.com",
        "api.moonshot.cn:443",
        "kimi-k2-thinking",
        "moonshotai/Kimi-K2.6",
    ],
)
def test_what_is_something_else_is_no_key(pasted: str) -> None:
    with pytest.raises(ConfigError, match=r"is a (URL|model's name)") as caught:
        clean_key(pasted)
    assert pasted not in str(caught.value)


@pytest.mark.parametrize("key", ["EMPTY", "token-abc123", "sk-1234", "eyJhbGciOi.eyJzdWIi.c2ln"])
def test_keys_of_other_services(key: str) -> None:
    assert clean_key(key).reveal() == key


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("kimi-k2.6", ""),
        ("moonshotai/kimi-k2.6", ""),
        ("kimi-k2.66", "kimi-k2.6"),
        ("kimi-k26", "kimi-k2.6"),
        ("Kimi-K26", "kimi-k2.6"),
        ("moonshotai/kimi-k26", "moonshotai/kimi-k2.6"),
        ("kimi-k3-", "kimi-k3"),
        ("mine", ""),
        ("gpt-4o", ""),
        ("x", ""),
    ],
)
def test_near_models(typed: str, meant: str) -> None:
    assert near_model(typed) == meant


@pytest.mark.parametrize(
    "pasted", ["", " ", "''", "Bearer ''", "sk-a b", "sk-a\nb", "sk-ключ", "sk-\x1b[A", "s" * 5000]
)
def test_what_is_no_key(pasted: str) -> None:
    with pytest.raises(ConfigError) as caught:
        clean_key(pasted)
    assert not pasted.strip(" '") or pasted not in str(caught.value)


@given(st.text())
def test_no_text_breaks_the_cleaning(text: str) -> None:
    try:
        key = clean_key(text).reveal()
    except ConfigError:
        return
    assert key.isascii()
    assert key.isprintable()
    assert " " not in key


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("moonshot-cn", "https://api.moonshot.cn/v1"),
        ("https://api.moonshot.cn/v1", "https://api.moonshot.cn/v1"),
        (" https://api.moonshot.cn/v1/ ", "https://api.moonshot.cn/v1"),
        ("https://api.moonshot.ai", "https://api.moonshot.ai/v1"),
        ("api.moonshot.ai", "https://api.moonshot.ai/v1"),
        ("http://api.moonshot.ai/v1", "https://api.moonshot.ai/v1"),
        ("HTTPS://API.MOONSHOT.AI/V1/", "https://api.moonshot.ai/v1"),
        ("'https://api.moonshot.ai/v1/chat/completions'", "https://api.moonshot.ai/v1"),
        ("https://api.moonshot.ai/v1/models", "https://api.moonshot.ai/v1"),
        ("https://api.kimi.com/coding", "https://api.kimi.com/coding/v1"),
        ("openrouter.ai", "https://openrouter.ai/api/v1"),
        ("127.0.0.1:8317", "http://127.0.0.1:8317/api/provider/kimi"),
        ("localhost:8000/v1", "http://localhost:8000/v1"),
        ("192.168.1.5:8000/v1/", "http://192.168.1.5:8000/v1"),
        ("vllm.example.com/v1/chat/completions", "https://vllm.example.com/v1"),
        ("https://vllm.example.com", "https://vllm.example.com"),
        ("gate", "https://llm.example.com/kimi/v1"),
        ("https://llm.example.com/kimi/v1/", "https://llm.example.com/kimi/v1"),
    ],
)
def test_endpoints(typed: str, url: str) -> None:
    assert endpoint_url(typed, OURS) == url


@pytest.mark.parametrize(
    ("typed", "part"),
    [
        ("", "blank"),
        ("moonshot-c", "Did you mean 'moonshot-cn'"),
        ("http://vllm.example.com/v1", "unencrypted"),
        ("https://user:secret@vllm.example.com/v1", "credentials"),
        ("ftp://vllm.example.com", "not an http"),
        ("https://", "not an http"),
        ("///", "not an http"),
    ],
)
def test_endpoints_that_are_refused(typed: str, part: str) -> None:
    with pytest.raises(ConfigError, match=part) as caught:
        endpoint_url(typed, OverlayFile())
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "text", "number"),
    [
        ("temperature", "0.2", 0.2),
        ("temperature", "0,2", 0.2),
        ("temperature", " 2 ", 2.0),
        ("max_tokens", "4096", 4096),
        ("max_tokens", "32,768", 32768),
        ("max_tokens", "32_768", 32768),
        ("n_alternatives", "5", 5),
    ],
)
def test_numbers(field: str, text: str, number: float) -> None:
    found = check_number(field, text)
    assert (found, type(found)) == (number, RANGES[field][0])


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("temperature", "2.1"),
        ("temperature", "-0.1"),
        ("temperature", "nan"),
        ("temperature", "warm"),
        ("max_tokens", "0"),
        ("max_tokens", "4096.5"),
        ("max_tokens", "9" * 5000),
        ("n_alternatives", "6"),
        ("n_alternatives", ""),
        ("column_batch_size", "0"),
    ],
)
def test_numbers_out_of_range(field: str, text: str) -> None:
    with pytest.raises(ConfigError, match=f"{field} is"):
        check_number(field, text)
