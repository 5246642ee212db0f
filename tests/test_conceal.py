"""Keys and passwords inside of texts."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amx_kimi.conceal import conceal_key, conceal_text, conceal_url, may_be_secret, shown
from amx_kimi.errors import KimiError
from amx_kimi.redact import redact_text
from amx_kimi.types import Secret

KEY = "sk-Qz7LmN0pRs3TuVw8XyAbCdEfGhJkLmNo"
INSIDE = KEY[3:-4]


def runs_of(text: str) -> set[str]:
    """Nine letters or digits in a row, in small letters, whatever stands between them."""
    plain = "".join(c for c in text.lower() if c.isalnum())
    return {plain[at : at + 9] for at in range(len(plain) - 8)}


SHAPES = {
    "as it is": KEY,
    "without sk-": KEY[3:],
    "in capitals": KEY.upper(),
    "small": KEY.lower(),
    "percent-encoded": "".join(f"%{ord(c):02x}" for c in KEY),
    "half encoded": quote(KEY, safe="").replace("Q", "%51"),
    "split": " ".join(KEY),
    "in lines": "\n".join(KEY[at : at + 5] for at in range(0, len(KEY), 5)),
    "with dashes": "-".join(KEY[at : at + 4] for at in range(0, len(KEY), 4)),
    "a long part": KEY[8:22],
    "encoded twice": "".join(f"%25{ord(c):02X}" for c in KEY),
    "in JSON": "".join(f"\\u{ord(c):04x}" for c in KEY),
    "in HTML": "".join(f"&#{ord(c)};" for c in KEY),
    "in HTML, by hex": "".join(f"&#x{ord(c):x};" for c in KEY),
    "full width": "".join(chr(ord(c) + 0xFEE0) for c in KEY),
    "quoted": "', '".join((KEY[:12], KEY[12:])),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_key_is_found_in_every_shape(shape: str) -> None:
    text = conceal_key(f"you sent {SHAPES[shape]} to us", Secret(KEY))
    assert not runs_of(text) & runs_of(INSIDE)
    assert text.startswith("you sent ")
    assert text.endswith(" to us")


@given(st.text(max_size=30), st.integers(0, 20), st.integers(9, 34), st.text(max_size=30))
def test_no_part_of_a_key_stays(before: str, start: int, length: int, after: str) -> None:
    part = KEY[start : start + length]
    text = conceal_key(f"{before} {part} {after}", Secret(KEY))
    assert not runs_of(text) & runs_of(KEY[3:-4])


@given(st.text(max_size=80))
def test_other_texts_stay(text: str) -> None:
    assert conceal_key(text, Secret(KEY)) == text
    assert conceal_key(text, Secret("short")) == text


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://ada:secret@host/db", "postgresql://ada:…@host/db"),
        ("postgresql://ada:p@ss:w/rd@host/db", "postgresql://ada:…@host/db"),
        ("postgresql://h/db?password=secret", "postgresql://h/db?password=…"),
        ("postgresql://h/db?sslpassword=s3&x=1", "postgresql://h/db?sslpassword=…&x=1"),
        ("ada:secret@proxy:3128", "…@proxy:3128"),
        ("host=h password=secret dbname=d", "host=h password=… dbname=d"),
        ("host=h password='se cret' dbname=d", "host=h password=… dbname=d"),
        (f"https://api.example/{KEY}/v1", "https://api.example/sk-…LmNo/v1"),
        ("sqlite:///x/file.db", "sqlite:///x/file.db"),
        ("postgresql://u:ge'heim@h/db", "postgresql://u:…@h/db"),
        ('postgresql://u:ge"he im<@h/db', "postgresql://u:…@h/db"),
        ('host=h password="geheim"', "host=h password=…"),
        ("md:x?motherduck_token=geheim", "md:x?motherduck_token=…"),
        ("postgresql://h/d?options=-cpassword%3Dgeheim", "postgresql://h/d?options=-cpassword%3D…"),
        ("http://geheim@proxy:8080", "http://…@proxy:8080"),
        ("https://h/?sig=geheim&x=1", "https://h/?sig=…&x=1"),
        ("postgresql://ada@h/db", "postgresql://ada@h/db"),
        ("postgresql://ada:geheim", "postgresql://ada:…"),
        ("postgresql://ada:geheim/db", "postgresql://ada:…/db"),
        ("https://h:8080/v1", "https://h:8080/v1"),
        ("https://[::1]:8080/v1", "https://[::1]:8080/v1"),
        ("https://api.moonshot.ai/v1", "https://api.moonshot.ai/v1"),
    ],
)
def test_urls_are_fit_to_show(url: str, expected: str) -> None:
    assert conceal_url(url) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (KEY, "'sk-…LmNo'"),
        ("0f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c", "'…6b5c'"),
        ("kimi-bulk-2026-production", "'kimi-bulk-2026-production'"),
        (["a", KEY], "['a', 'sk-…LmNo']"),
        (12, "12"),
        ("x" * 200, "'" + "x" * 119),
    ],
)
def test_values_of_a_configuration_are_fit_to_show(value: object, expected: str) -> None:
    assert shown(value) == expected


def test_no_error_repeats_a_key_or_a_password() -> None:
    error = KimiError(f"no {KEY}", call=f"x {KEY}", remedy="see postgresql://u:hidden@h/d")
    assert INSIDE not in f"{error} {error.args} {error!r}"
    assert "hidden" not in str(error)
    for text in (
        "max_tokens=5, token_type=x",
        "keyring://amx/gone/api_key: not in the keyring",
        "config.yml: api_key is blank; see api_key_ref: env:NAME",
        "password: at least 8 characters",
    ):
        assert conceal_text(text) == text
    for text in ("{'password': 'geheim'}", '{"token": "geheim"}', "pass:geheim", "pwd = geheim"):
        assert "geheim" not in conceal_text(text)


MAKERS = [
    *("hf_" + "abcdefghij" * 4, "AKIAIOSFODNN7EXAMPLE", "glpat-abcdefghijklmnopqrst"),
    *("npm_" + "abcdefghijklmnopqr" * 2, "AIzaSyAbcdefghijklmnopqrstuvwxyzabcdefg"),
    "SG." + "abcdefghijklmnopqrstuv." + "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopq",
    *("ghp_" + "abcdefghijklmnopqr" * 2, "github_pat_abcdefghijklmnopqrstuv", "xoxb-1234-abcdef"),
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm5hIn0.abcdefghijklmnopqrstuvwxyz",
    *("Basic YWRhOmxvdmVsYWNl", "Bearer abcDEFghiJKL", "dapi" + "abcdef0123456789" * 2),
    *("sk_live_abcdefghijklmnopqrstuvwx", "shpat_abcdefabcdefabcdefabcdefabcdef", "sk-abcdefgh"),
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\nxyz\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\nMIIEabcdefghi",
]


@pytest.mark.parametrize("key", MAKERS)
def test_keys_of_known_makers_leave_no_comment(key: str) -> None:
    masked = redact_text(f"Ask ops for {key} first.")
    assert masked.startswith("Ask ops for ")
    secret = (
        key.removeprefix("Basic ")
        .removeprefix("Bearer ")
        .split("\n")[0 if "-BEG" not in key else 1]
    )
    assert secret not in masked
    assert may_be_secret(f"/run db --note {key}")


def test_a_short_key_is_found_as_it_is() -> None:
    assert conceal_key("Invalid key: sk-1234", Secret("sk-1234")) == "Invalid key: sk-…"
    assert conceal_key("use HUNTER2 now", Secret("hunter2")) == "use sk-… now"


@pytest.mark.parametrize(
    "piece",
    [
        "sk-",
        "sk-ant-",
        "://",
        "a://",
        "BEGIN PRIVATE KEY",
        "eyJ",
        "xoxb-1-",
        "pypi-",
        "a1",
        "key=",
        ":a@",
    ],
)
def test_hostile_texts_end(piece: str) -> None:
    text = piece * (200_000 // len(piece))  # quadratic would be hours
    assert redact_text(text)
    assert conceal_text(text)
    assert conceal_key(text, Secret(KEY)) == text
    may_be_secret(text[:10_000])


@pytest.mark.parametrize(
    "text",
    [
        "host fe80::1 answers",
        "net 2001:db8::8a2e:370:7334 is ours",
        "::ffff:10.1.2.3 too",
        "mac 001a.2b3c.4d5e or 001A2B3C4D5E",
    ],
)
def test_addresses_leave_no_comment(text: str) -> None:
    masked = redact_text(text)
    assert not {"fe80", "2001", "8a2e", "10.1", "2b3c", "2B3C"} & set(
        masked.replace(":", " ").split()
    )
    assert masked != text


@pytest.mark.parametrize(
    "text",
    [
        "Opened at 10:30:00, closed at 18:00",
        "see sales.orders.customer_id",
        "basic data of customers",
        "see the key-value store; token_type is bearer or mac",
        "ratio 1:2:3",
    ],
)
def test_plain_comments_stay(text: str) -> None:
    assert redact_text(text) == text


LINES = [
    *("/set-llm-profile p api_key=abc", "/use-llm " + KEY, "/run postgresql://u:p@h/db"),
    *("/x --password geheim", "/x password: geheim", "PGPASSWORD=x", "api_key abc", "/x Secret=1"),
    *("/x h?key=geheim1234", "https://h/?sig=abc123", "kennwort=geheim", "export KIMI_KEY=abcdef"),
    "/use-llm 0f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c",
    *(f"/x {key}" for key in MAKERS),
]


@pytest.mark.parametrize("line", LINES)
def test_lines_that_a_history_does_not_keep(line: str) -> None:
    assert may_be_secret(line)


@pytest.mark.parametrize(
    "line",
    [
        *("/run erp.db", "/review last", "/use-llm kimi-bulk", "/help run", "/run task-list.db"),
        *(
            "/run disk-usage.csv",
            "/run x --table passengers",
            "/run x --table api_keys",
            "/run x --max-tokens 5",
        ),
        *("/run postgresql://me@host/db", "/run encompass --all", "/show 20261128-ab12cd"),
    ],
)
def test_lines_that_a_history_keeps(line: str) -> None:
    assert not may_be_secret(line)
