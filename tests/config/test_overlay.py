"""`kimi.yml`: what it may say, and the endpoint that comes out."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from amx_kimi.config import Overlay, load_profile
from amx_kimi.config.overlay import check_url, load_overlay, parse_overlay
from amx_kimi.errors import ConfigError, ConfigFileError
from amx_kimi.facts import Prices, load_catalog

Write = Callable[[str, str], Path]

CONFIG = "llm_profiles: {p: {provider: kimi, model: %s, api_base: %s}}\n"


def test_everything_that_kimi_yml_can_say(write: Write, home: Path) -> None:
    write(
        "kimi.yml",
        """
        profiles:
          p:
            endpoint: mine
            api_key_ref: env:MY_KEY
            auth: none
            batch: fixed
            thinking: true
            effort: high
            max_retry_tokens: 200000
            tier: 2
            concurrency: 4
            rpm: 60
            tpm: 1000000
          bare:
        aliases: {deep: kimi-k3}
        endpoints: {mine: {url: "http://10.0.0.5:8000/v1/", currency: EUR, auth: none}}
        """,
    )
    found = load_overlay(home)
    assert found.profiles == {
        "p": Overlay(
            endpoint="mine",
            api_key_ref="env:MY_KEY",
            auth="none",
            batch="fixed",
            thinking=True,
            effort="high",
            max_retry_tokens=200_000,
            tier=2,
            concurrency=4,
            rpm=60,
            tpm=1_000_000,
        ),
        "bare": Overlay(),
    }
    assert found.aliases == {"deep": "kimi-k3"}
    mine = found.endpoint("mine", None)
    assert (mine.name, mine.url) == ("mine", "http://10.0.0.5:8000/v1")
    assert (mine.currency, mine.auth) == ("EUR", "none")


@pytest.mark.parametrize("text", [None, "", "profiles:\naliases:\nendpoints:\n"])
def test_an_empty_file_says_nothing(write: Write, home: Path, text: str | None) -> None:
    if text is not None:
        write("kimi.yml", text)
    found = load_overlay(home)
    assert (found.profiles, found.aliases, found.endpoints) == ({}, {}, {})


@pytest.mark.parametrize(("word", "effort"), [("off", "none"), ("none", "none"), ("max", "max")])
def test_yaml_words_for_no_effort(word: str, effort: str) -> None:
    document = yaml.safe_load(f"profiles: {{p: {{effort: {word}}}}}")
    assert parse_overlay(document, "kimi.yml").profiles["p"].effort == effort


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("profile: {}", ["unknown key 'profile'", "profiles, aliases, endpoints"]),
        ("1: {}", ["unknown key '1'"]),
        ("profiles: [p]", ["profiles must be a mapping"]),
        ("aliases: text", ["aliases must be a mapping"]),
        ("endpoints: 3", ["endpoints must be a mapping"]),
        ("profiles: {p: text}", ["profile 'p'", "expected a mapping"]),
        ("profiles: {p: {modle: x}}", ["profile 'p'", "unknown key 'modle'", "known: endpoint"]),
        ("profiles: {p: {effort: turbo}}", ["profile 'p'", "'effort'", "'turbo'", "'minimal'"]),
        ("profiles: {p: {effort: on}}", ["profile 'p'", "'effort'", "True"]),
        ("profiles: {p: {batch: 7}}", ["profile 'p'", "'batch'", "'auto', 'fixed'"]),
        ("profiles: {p: {auth: token}}", ["profile 'p'", "'auth'", "'token'"]),
        ("profiles: {p: {thinking: 'no'}}", ["profile 'p'", "'thinking'", "bool"]),
        ("profiles: {p: {tier: 9}}", ["profile 'p'", "no tier 9", "0, 1, 2, 3, 4, 5"]),
        ("profiles: {p: {rpm: 0}}", ["profile 'p'", "rpm must be above zero"]),
        ("profiles: {p: {tpm: 0}}", ["profile 'p'", "tpm must be above zero"]),
        ("profiles: {p: {concurrency: 0}}", ["profile 'p'", "concurrency"]),
        ("profiles: {p: {max_retry_tokens: 0}}", ["profile 'p'", "max_retry_tokens"]),
        ("profiles: {p: {rpm: -3}}", ["profile 'p'", "'rpm'", "zero or more"]),
        ("profiles: {p: {rpm: 1.5}}", ["profile 'p'", "'rpm'", "1.5"]),
        ("endpoints: {e: text}", ["endpoint 'e'", "expected a mapping"]),
        ("endpoints: {e: {}}", ["endpoint 'e'", "'url' is missing"]),
        ("endpoints: {e: {url: 'https://x', auth: token}}", ["endpoint 'e'", "'auth'", "'token'"]),
        ("endpoints: {e: {uri: 'https://x'}}", ["endpoint 'e'", "unknown key 'uri'"]),
    ],
)
def test_a_mistake_names_its_place(write: Write, home: Path, text: str, parts: list[str]) -> None:
    path = write("kimi.yml", text)
    with pytest.raises(ConfigFileError) as caught:
        load_overlay(home)
    for part in [str(path), *parts]:
        assert part in str(caught.value)


def test_a_tier_of_zero_is_a_tier() -> None:
    assert parse_overlay({"profiles": {"p": {"tier": 0}}}, "kimi.yml").profiles["p"].tier == 0


def test_a_user_defined_endpoint_has_to_be_safe_too() -> None:
    with pytest.raises(ConfigError, match="unencrypted"):
        parse_overlay({"endpoints": {"e": {"url": "http://kimi.example.com/v1"}}}, "kimi.yml")


def test_an_endpoint_of_the_table_can_be_corrected() -> None:
    document = {"endpoints": {"moonshot-ai": {"url": "https://gateway.corp.example/v1"}}}
    row = parse_overlay(document, "kimi.yml").endpoint("", None)
    assert row.url == "https://gateway.corp.example/v1"
    assert (row.currency, row.own, row.keys_from) == ("USD", True, "platform.kimi.ai")


# --- which endpoint


@pytest.mark.parametrize(
    ("name", "api_base", "found", "url"),
    [
        ("", None, "moonshot-ai", "https://api.moonshot.ai/v1"),
        ("", "", "moonshot-ai", "https://api.moonshot.ai/v1"),
        ("", "https://api.moonshot.cn/v1", "moonshot-cn", "https://api.moonshot.cn/v1"),
        ("", "https://api.moonshot.cn/v1/", "moonshot-cn", "https://api.moonshot.cn/v1"),
        (
            "",
            "https://api.moonshot.ai/v1/chat/completions",
            "moonshot-ai",
            "https://api.moonshot.ai/v1",
        ),
        (
            "",
            " https://api.moonshot.ai/v1/chat/completions/ ",
            "moonshot-ai",
            "https://api.moonshot.ai/v1",
        ),
        (
            "",
            "http://127.0.0.1:8317/api/provider/kimi",
            "cliproxy",
            "http://127.0.0.1:8317/api/provider/kimi",
        ),
        ("", "https://openrouter.ai/api/v1", "openrouter", "https://openrouter.ai/api/v1"),
        ("", "https://vllm.example.com/v1/", "any", "https://vllm.example.com/v1"),
        ("", "http://mine.localhost:9/v1", "mine", "http://mine.localhost:9/v1"),
        ("", "http://mine.localhost:9/v1/", "mine", "http://mine.localhost:9/v1"),
        ("kimi-coding", None, "kimi-coding", "https://api.kimi.com/coding/v1"),
        ("moonshot-cn", "https://api.moonshot.ai/v1", "moonshot-cn", "https://api.moonshot.cn/v1"),
        ("mine", None, "mine", "http://mine.localhost:9/v1"),
    ],
)
def test_an_endpoint_by_name_or_by_api_base(
    name: str, api_base: str | None, found: str, url: str
) -> None:
    document = {"endpoints": {"mine": {"url": "http://mine.localhost:9/v1"}}}
    row = parse_overlay(document, "kimi.yml").endpoint(name, api_base)
    assert (row.name, row.url) == (found, url)


@pytest.mark.parametrize("row", [r for r in load_catalog().endpoints if r.protocol == "openai"])
def test_every_endpoint_of_the_table_is_found_by_its_own_url(row: object) -> None:
    url, name = row.url, row.name  # type: ignore[attr-defined]
    if url:
        assert parse_overlay({}, "kimi.yml").endpoint("", url).name == name


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("moonshot-ia", ["Unknown endpoint 'moonshot-ia'", "Did you mean 'moonshot-ai'?"]),
        ("zzz", ["Unknown endpoint 'zzz'", "Known: mine, moonshot-ai"]),
        ("any", ["Unknown endpoint 'any'"]),
    ],
)
def test_an_unknown_endpoint(name: str, parts: list[str]) -> None:
    overlay = parse_overlay({"endpoints": {"mine": {"url": "https://mine.example/v1"}}}, "kimi.yml")
    with pytest.raises(ConfigError) as caught:
        overlay.endpoint(name, None)
    for part in parts:
        assert part in str(caught.value)


def test_anthropics_protocol_is_refused_with_the_way_out() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_overlay({}, "kimi.yml").endpoint("", "https://api.kimi.com/coding/")
    assert "anthropic" in str(caught.value)
    assert "'kimi-coding'" in caught.value.remedy
    document = {"endpoints": {"e": {"url": "https://e.example", "protocol": "anthropic"}}}
    with pytest.raises(ConfigError, match="Use another one"):
        parse_overlay(document, "kimi.yml").endpoint("e", None)


# --- where a key may travel to


@pytest.mark.parametrize(
    "url",
    [
        "https://api.moonshot.ai/v1",
        "https://anything.example:8443/v1",
        "http://localhost:8000/v1",
        "http://kimi.localhost/v1",
        "http://127.0.0.1:8317/api/provider/kimi",
        "http://127.8.9.1/v1",
        "http://[::1]:8000/v1",
        "http://10.1.2.3/v1",
        "http://172.16.0.1/v1",
        "http://192.168.1.1/v1",
        "http://[fd00::1]/v1",
        "http://vllm:8000/v1",
    ],
)
def test_a_url_that_may_carry_a_key(url: str) -> None:
    assert check_url(url) == url
    assert check_url(f"  {url}/ ") == url


@pytest.mark.parametrize(
    "url",
    [
        "http://api.moonshot.ai/v1",
        "http://8.8.8.8/v1",
        "http://172.32.0.1/v1",
        "http://[2001:4860:4860::8888]/v1",
        "http://localhost.example.com/v1",
        "http://127.0.0.1.example.com/v1",
        "http://134744072/v1",
        "http://0x8080808/v1",
    ],
)
def test_plain_http_to_a_public_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_url(url)
    assert "unencrypted" in str(caught.value)
    assert "https" in caught.value.remedy


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("api.moonshot.ai/v1", "not an http(s) URL"),
        ("ftp://api.moonshot.ai", "not an http(s) URL"),
        ("https://", "not an http(s) URL"),
        ("https:///v1", "not an http(s) URL"),
        ("https://api.moonshot .ai/v1", "not an http(s) URL"),
        ("https://api.moonshot.ai/\nv1", "not an http(s) URL"),
        ("https://[::1/v1", "is not a URL"),
        ("https://host:port/v1", "is not a URL"),
        ("https://host:99999/v1", "is not a URL"),
        ("https://user@host/v1", "contains credentials"),
        ("https://user:hunter2@host/v1", "contains credentials"),
        ("https://host/v1?key=hunter2", "contains credentials, a query"),
        ("https://host/v1#hunter2", "contains credentials, a query or a fragment"),
        ("kimi", "not an http(s) URL"),
    ],
)
def test_a_bad_url_is_named_and_credentials_are_not(url: str, part: str) -> None:
    for attempt in (
        lambda: check_url(url),
        lambda: parse_overlay({}, "kimi.yml").endpoint("", url),
    ):
        with pytest.raises(ConfigError) as caught:
            attempt()
        assert part in str(caught.value)
        assert "hunter2" not in str(caught.value)


@given(st.text(max_size=30), st.sampled_from(["", "http://", "https://", "https://h:", "http://["]))
def test_any_text_is_a_url_or_a_clear_error(text: str, start: str) -> None:
    overlay = parse_overlay({}, "kimi.yml")
    try:
        url = overlay.endpoint("", start + text).url
    except ConfigError:
        return
    assert url.lower().startswith(("http://", "https://"))
    assert check_url(url) == url


# --- together with a profile


def test_an_alias_stands_for_a_model(write: Write) -> None:
    write("config.yml", CONFIG % ("bulk", "null"))
    write("kimi.yml", "aliases: {bulk: kimi-k2.6, other: kimi-k3}")
    assert load_profile().model == "kimi-k2.6"
    assert load_profile().facts().known


def test_a_profile_takes_its_overlay_and_endpoint(write: Write) -> None:
    write("config.yml", CONFIG % ("kimi-k2.6", "https://api.moonshot.ai/v1"))
    write("kimi.yml", "profiles: {p: {endpoint: moonshot-cn, tier: 1}, q: {tier: 5}}")
    profile = load_profile()
    assert profile.overlay == Overlay(endpoint="moonshot-cn", tier=1)
    assert profile.base_url == "https://api.moonshot.cn/v1"


@pytest.mark.parametrize(
    ("endpoint", "said", "auth"),
    [
        ("moonshot-ai", "", "key"),
        ("moonshot-ai", ", auth: none", "none"),
        ("cliproxy", "", "none"),
        ("cliproxy", ", auth: key", "key"),
    ],
)
def test_a_profile_says_whether_its_endpoint_wants_a_key(
    write: Write, endpoint: str, said: str, auth: str
) -> None:
    write("config.yml", CONFIG % ("kimi-k2.6", "null"))
    write("kimi.yml", f"profiles: {{p: {{endpoint: {endpoint}{said}}}}}")
    assert load_profile().endpoint.auth == auth


@pytest.mark.parametrize(
    ("prices", "own"),
    [
        ("", None),
        (", custom_input_cost_per_mtok: 1.5", None),
        (", custom_output_cost_per_mtok: 3", None),
        (
            ", custom_input_cost_per_mtok: 1.5, custom_output_cost_per_mtok: 3",
            Prices(Decimal("1.5"), Decimal("1.5"), Decimal(3)),
        ),
    ],
)
def test_a_profiles_own_prices_are_a_pair(write: Write, prices: str, own: Prices | None) -> None:
    write("config.yml", CONFIG.replace("%s}}", f"%s{prices}}}}}") % ("mine", "http://vllm/v1"))
    profile = load_profile()
    assert profile.own_prices == own
    assert profile.facts().prices == own
    assert profile.facts().currency == ("USD" if own else None)


def test_a_broken_kimi_yml_names_its_line(write: Write) -> None:
    write("config.yml", CONFIG % ("kimi-k2.6", "null"))
    path = write("kimi.yml", "profiles:\n  p: {\n")
    with pytest.raises(ConfigFileError) as caught:
        load_profile()
    assert f"{path}, line 3" in str(caught.value)


def test_a_bad_api_base_in_a_profile(write: Write) -> None:
    write("config.yml", CONFIG % ("kimi-k2.6", "'https://host:port/v1'"))
    with pytest.raises(ConfigError, match="is not a URL"):
        load_profile()
