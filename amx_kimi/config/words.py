"""What people type, made into values: profile names, keys, URLs. Pure; each refusal says why."""

import re
import unicodedata
from collections.abc import Mapping
from contextlib import suppress

from amx_kimi.config.overlay import OverlayFile, check_url
from amx_kimi.errors import ConfigError
from amx_kimi.facts import load_catalog
from amx_kimi.types import Secret

__all__ = ["RANGES", "check_name", "check_number", "clean_key", "endpoint_url", "model_id"]

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?")
_ENDS = re.compile(r"(/(chat/completions|completions|models|chat))?/*\Z")
_KEY = re.compile(r"(?:bearer\s+)?sk-", re.IGNORECASE)
_PASTED = re.compile(r"(?:authorization\s*:\s*)?bearer(?:\s+|\Z)", re.IGNORECASE)


def check_name(name: str) -> str:
    """A profile's name, without blanks around.

    Raises:
        ConfigError: it has other characters than letters, digits and `.`, `_`, `-`, or is longer
            than 64.
    """
    name = name.strip()
    if not name:
        raise ConfigError("A profile needs a name", remedy="Such as kimi-bulk.")
    if _KEY.match(name):
        raise ConfigError("That looks like a key, not like a name", remedy="Such as kimi-bulk.")
    if len(name) > 64:
        raise ConfigError(f"The name {name[:20]}… has {len(name)} characters; 64 are the most")
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"The name {name!r} is not allowed",
            remedy="Letters, digits, and . _ - between them, such as kimi-bulk.",
        )
    return name


def clean_key(text: str, where: str = "") -> Secret:
    """A key, freed of what is often pasted around it: `Bearer `, quotes, blanks, line breaks.

    `where` says where it was found, for the errors.

    Raises:
        ConfigError: nothing is left, or it has characters that no key has; the key is not shown.
    """
    key = "".join(c for c in text if unicodedata.category(c) != "Cf").strip()  # zero-width marks
    key = _PASTED.sub("", key.strip("\"'`“”‘’").strip(), count=1)
    key = key.strip().strip("\"'`“”‘’").strip()
    origin = f" from {where}" if where else ""
    if not key:
        raise ConfigError(f"The API key{origin} is empty", remedy="It starts with sk-.")
    if not key.isascii() or not key.isprintable() or " " in key or len(key) > 4_096:
        raise ConfigError(
            f"The API key{origin} has blanks, line breaks or other characters that no key has",
            remedy="Copy it again, alone: it starts with sk-.",
        )
    return Secret(key)


def endpoint_url(text: str, overlays: OverlayFile) -> str:
    """The API base that a person means: an endpoint's name, or a URL, made exact.

    A missing scheme, a trailing slash, a pasted `/chat/completions` and, where a known endpoint
    has one, a missing `/v1` are put right.

    Raises:
        ConfigError: unknown name, or not a URL that a key may travel to.
    """
    text = text.strip().strip("\"'`<>").strip()
    if not text:
        raise ConfigError(
            "The API base is blank", remedy="It looks like https://api.moonshot.ai/v1."
        )
    if _KEY.match(text):
        raise ConfigError("That looks like a key, not like an API base")
    if not re.search(r"[/.:]", text):
        return overlays.endpoint(text, None).url
    scheme, rest = re.fullmatch(r"(?:([A-Za-z]+):/+)?(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    rest = _ENDS.sub("", rest)
    if not rest:
        raise ConfigError(f"The API base {text!r} is not an http(s) URL with a host")
    for row in (*overlays.endpoints.values(), *load_catalog().endpoints):
        known = row.url.partition("://")[2]
        if row.protocol == "openai" and f"{known}/".lower().startswith(f"{rest}/".lower()):
            return check_url(row.url)
    local = re.match(r"(localhost|127\.|10\.|192\.168\.)", rest)
    url = f"{scheme or ('http' if local else 'https')}://{rest}"
    return overlays.endpoint("", url).url


def model_id(text: str) -> str:
    """A model's id.

    Raises:
        ConfigError: it is blank, not one word, a URL, or looks like a key.
    """
    text = text.strip()
    if _KEY.match(text):
        raise ConfigError("That looks like a key, not like a model")
    if not text or "://" in text or any(letter.isspace() for letter in text):
        raise ConfigError("A model's id is one word", remedy="Such as kimi-k2.6.")
    return text


RANGES: Mapping[str, tuple[type[int] | type[float], float, float]] = {
    "temperature": (float, 0, 2),
    "max_tokens": (int, 1, 1_048_576),
    "n_alternatives": (int, 1, 5),
    "column_batch_size": (int, 1, 1_000),
}
"""What the numbers of a profile may be: least and most, inclusive. AMX clamps to the same."""


def check_number(field: str, text: str) -> float:
    """The number that is meant for a field of `RANGES`.

    Raises:
        ConfigError: it is none, or out of range.
    """
    kind, least, most = RANGES[field]
    number = least - 1
    plain = text.strip().replace("_", "").replace(",", "." if kind is float else "")
    with suppress(ValueError):
        number = kind(plain)
    if not least <= number <= most:
        whole = "a whole number" if kind is int else "a number"
        raise ConfigError(
            f"{field} is {text.strip()[:40]!r}: it takes {whole} from {least:,} to {most:,}"
        )
    return number
