"""Token counts: against cl100k_base's published figures, and without the rank file."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amx_kimi import tokens
from amx_kimi.tokens import count_messages, count_tokens


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        # as published in OpenAI's cookbook, "How to count tokens with tiktoken"
        ("tiktoken is great!", 6),
        ("antidisestablishmentarianism", 6),
        ("2 + 2 = 4", 7),
        ("お誕生日おめでとう", 9),
        ("hello world", 2),
        ("1234567890", 4),
    ],
)
def test_counts_of_cl100k_base(text: str, count: int) -> None:
    assert count_tokens(text) == count


@given(st.text(max_size=300), st.text(max_size=300))
def test_a_count_is_between_one_token_a_byte_and_none(a: str, b: str) -> None:
    both = count_tokens(a + b)
    assert 0 <= both <= len((a + b).encode())
    assert (both == 0) == (not a + b)


@pytest.mark.parametrize("text", ["a" * 1_000_000, " " * 300_000, "x\n" * 100_000])
def test_a_megabyte_takes_no_minute(text: str) -> None:
    started = time.monotonic()
    assert 0 < count_tokens(text) <= len(text)
    assert time.monotonic() - started < 10


def test_text_that_is_no_unicode_is_counted_too() -> None:
    assert count_tokens("half a pair: \ud83d") > 4


def test_messages_cost_their_content_and_an_overhead_each() -> None:
    messages = [
        {"role": "system", "content": "tiktoken is great!"},
        {"role": "user", "content": "hello world"},
        {"role": "assistant"},
    ]
    assert count_messages(messages) == 6 + 2 + 3 * 4
    assert count_messages([]) == 0


@pytest.fixture(params=["absent", "without tokenizers"])
def no_ranks(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    """A Python whose litellm is not installed, or no longer carries the rank file."""
    if request.param == "absent":
        monkeypatch.setitem(sys.modules, "litellm", None)
    else:
        monkeypatch.delitem(sys.modules, "litellm", raising=False)
        (tmp_path / "litellm").mkdir()
        (tmp_path / "litellm" / "__init__.py").touch()
        monkeypatch.syspath_prepend(tmp_path)
    tokens._encoding.cache_clear()
    yield
    tokens._encoding.cache_clear()


@pytest.mark.usefixtures("no_ranks")
@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("abc", 1), ("abcd", 2), ("é" * 3, 2), ("\ud83d", 1)]
)
def test_without_the_rank_file_length_is_the_estimate(text: str, count: int) -> None:
    assert count_tokens(text) == count


def test_counting_imports_no_litellm() -> None:
    import subprocess

    script = (
        "import sys; from amx_kimi.tokens import count_tokens; count_tokens('a b');"
        "print(sorted({'litellm', 'httpx', 'sqlalchemy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
