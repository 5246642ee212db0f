"""Token counts by cl100k_base, read from litellm's wheel without importing litellm.

Without that file a token is four characters.
"""

from __future__ import annotations

import base64
import importlib.util
from collections.abc import Hashable, Sequence
from functools import cache, lru_cache
from pathlib import Path

import tiktoken

_RANK_FILE = "litellm_core_utils/tokenizers/9b5ad71b2ce5302211f9c61530b329a4922fc6a4"
_PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+"
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)
_SPECIAL = {
    "<|endoftext|>": 100257,
    "<|fim_prefix|>": 100258,
    "<|fim_middle|>": 100259,
    "<|fim_suffix|>": 100260,
    "<|endofprompt|>": 100276,
}


def _rank_file() -> Path | None:
    spec = importlib.util.find_spec("litellm")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / _RANK_FILE
        if path.is_file():
            return path
    return None


@cache
def encoding() -> tiktoken.Encoding | None:
    """The cl100k_base encoding, or None where its file is absent."""
    path = _rank_file()
    if path is None:
        return None
    lines = path.read_bytes().splitlines()
    pairs = (line.split() for line in lines if line)
    ranks = {base64.b64decode(token): int(rank) for token, rank in pairs}
    return tiktoken.Encoding(
        "cl100k_base", pat_str=_PATTERN, mergeable_ranks=ranks, special_tokens=_SPECIAL
    )


def _fours(text: str) -> list[str]:
    return [text[start : start + 4] for start in range(0, len(text), 4)]


@lru_cache(maxsize=128)
def encode(text: str) -> Sequence[Hashable]:
    """The tokens of a text; system prompts repeat, hence the cache."""
    codec = encoding()
    return _fours(text) if codec is None else codec.encode_ordinary(text)


def count(text: str) -> int:
    """How many tokens a text has."""
    codec = encoding()
    return -(-len(text) // 4) if codec is None else len(codec.encode_ordinary(text))


def cut(text: str, length: int) -> str:
    """The first tokens of a text."""
    codec = encoding()
    if codec is None:
        return text[: 4 * length]
    return codec.decode(codec.encode_ordinary(text)[:length], errors="ignore")


def pieces(text: str) -> list[str]:
    """The text in token-sized strings; a character that spans tokens makes one piece of them."""
    codec = encoding()
    if codec is None:
        return _fours(text)
    out: list[str] = []
    pending = b""
    for token in codec.decode_tokens_bytes(codec.encode_ordinary(text)):
        pending += token
        try:
            out.append(pending.decode())
        except UnicodeDecodeError:
            continue
        pending = b""
    return out
