"""Checks and cleans what people type: profile names, keys, URLs. Pure; each refusal says why."""

import difflib
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress

from amx_kimi.conceal import shown
from amx_kimi.config.overlay import OverlayFile, check_url
from amx_kimi.errors import ConfigError
from amx_kimi.facts import load_catalog
from amx_kimi.text import without_marks
from amx_kimi.types import Secret

__all__ = [
    "RANGES",
    "check_name",
    "check_number",
    "clean_key",
    "endpoint_url",
    "is_short",
    "model_id",
    "near_model",
    "near_name",
    "unknown_model",
]

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?")
_ENDS = re.compile(r"(/(chat/completions|completions|models|chat))?/*\Z")
_KEY = re.compile(r"(?:bearer\s+)?sk-", re.IGNORECASE)
_URL = re.compile(r"\S*://|www\.|[\w.-]+\.(?:ai|cn|com|io|net|org)(?:[/:]|\Z)", re.IGNORECASE)
_SHORTEST_KEY = 16
_LONGEST_MODEL = 200
_PASTED = re.compile(r"(?:authorization\s*:\s*)?bearer(?:\s+|\Z)", re.IGNORECASE)


def check_name(name: str) -> str:
    """A profile's name, without surrounding blanks.

    Raises:
        ConfigError: it has other characters than letters, digits and `.`, `_`, `-`, or is longer
            than 64.
    """
    name = name.strip()
    if not name:
        raise ConfigError("A profile needs a name", remedy="Example: kimi-bulk.")
    if _KEY.match(name):
        raise ConfigError("That looks like a key, not like a name", remedy="Example: kimi-bulk.")
    if len(name) > 64:
        raise ConfigError(
            f"The name {name[:20]}… has {len(name)} characters; at most 64 are allowed"
        )
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"The name {shown(name)} is not allowed",
            remedy="Use letters and digits, with . _ - between them, such as kimi-bulk.",
        )
    return name


def clean_key(text: str, where: str = "") -> Secret:
    """A key without what is often pasted around it: `Bearer `, quotes, blanks, line breaks.

    `where` says where it was found, for the errors.

    Raises:
        ConfigError: nothing is left, it is a URL or a model's name, or it has characters that
            keys never have; the key is not shown.
    """
    key = without_marks(text).strip()
    key = _PASTED.sub("", key.strip("\"'`“”‘’").strip(), count=1)
    key = key.strip().strip("\"'`“”‘’").strip()
    origin = f" from {where}" if where else ""
    if not key:
        raise ConfigError(f"The API key{origin} is empty", remedy="Keys start with sk-.")
    is_plain = key.isascii() and key.isprintable() and " " not in key
    if not is_plain or len(key) > 4_096:
        raise ConfigError(
            f"The API key{origin} has blanks, line breaks or other invalid characters",
            remedy="Copy only the key; it starts with sk-.",
        )
    if _URL.match(key):
        raise ConfigError(
            f"The API key{origin} is a URL",
            remedy="Use the URL as the API base. A key is one long word, such as sk-….",
        )
    if load_catalog().knows(key):
        raise ConfigError(f"The API key{origin} is a model's name", remedy="Keys start with sk-.")
    return Secret(key)


def is_short(key: Secret) -> bool:
    """Whether a key is too short to be real; keys of services have some fifty characters."""
    return len(key.reveal()) < _SHORTEST_KEY


def endpoint_url(text: str, overlays: OverlayFile) -> str:
    """The API base that a person means by an endpoint's name or a URL.

    Corrects a missing scheme, a trailing slash, a pasted `/chat/completions` and, for known
    endpoints, a missing `/v1`.

    Raises:
        ConfigError: the name is unknown, or it is not a URL to which a key may be sent.
    """
    text = text.strip().strip("\"'`<>").strip()
    if not text:
        raise ConfigError("The API base is blank", remedy="Example: https://api.moonshot.ai/v1.")
    if _KEY.match(text):
        raise ConfigError("That looks like a key, not like an API base")
    if not re.search(r"[/.:]", text):
        return overlays.endpoint(text, None).url
    scheme, rest = re.fullmatch(r"(?:([A-Za-z]+):/+)?(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    rest = _ENDS.sub("", rest)
    if not rest:
        raise ConfigError(f"The API base {shown(text)} is not an http(s) URL with a host")
    beginning = f"{rest}/".lower()
    for row in (*overlays.endpoints.values(), *load_catalog().endpoints):
        known = row.url.partition("://")[2]
        if row.protocol == "openai" and f"{known}/".lower().startswith(beginning):
            return check_url(row.url)
    local = re.match(r"(localhost|127\.|10\.|192\.168\.)", rest)
    url = f"{scheme or ('http' if local else 'https')}://{rest}"
    return overlays.endpoint("", url).url


def model_id(text: str) -> str:
    """A model's id.

    Raises:
        ConfigError: it is blank, not one word, a URL, too long, or looks like a key.
    """
    text = text.strip()
    if len(text) > _LONGEST_MODEL:
        raise ConfigError(
            f"The model has {len(text):,} characters; at most {_LONGEST_MODEL} are allowed",
            remedy="Example: kimi-k2.6.",
        )
    if _KEY.match(text):
        raise ConfigError("That looks like a key, not like a model")
    if not text or "://" in text or any(letter.isspace() for letter in text):
        raise ConfigError("A model's id is one word", remedy="Example: kimi-k2.6.")
    return text


def unknown_model(model: str) -> str:
    """A warning about a model that is not in amx-kimi's table, with the nearest name; else ""."""
    if load_catalog().knows(model):
        return ""
    near = near_model(model)
    meant = f" Did you mean {near}?" if near else ""
    return f"{model} is not in amx-kimi's table of models (amx-kimi models).{meant}"


def near_model(model: str) -> str:
    """The known model that a mistyped one may mean, with the same vendor prefix.

    Returns "" if none is similar, or the model is known.
    """
    catalog, (prefix, slash, name) = load_catalog(), model.rpartition("/")
    if catalog.knows(model):
        return ""
    rows = sorted(catalog.models, key=lambda row: not row.live)
    near = near_name(name.lower(), [row.id for row in rows])
    return f"{prefix}{slash}{near}" if near else ""


def near_name(typed: str, known: Iterable[str]) -> str:
    """The known name that is most similar to `typed`, or contains it; "" if there is none."""
    names = list(known)
    near = difflib.get_close_matches(typed, names, 1, 0.75)
    within = [name for name in names if len(typed) > 2 and typed in name]
    return next(iter([*near, *within]), "")


RANGES: Mapping[str, tuple[type[int] | type[float], float, float]] = {
    "temperature": (float, 0, 2),
    "max_tokens": (int, 1, 1_048_576),
    "n_alternatives": (int, 1, 5),
    "column_batch_size": (int, 1, 1_000),
}
"""The types and inclusive ranges of a profile's numbers. AMX clamps to the same ranges."""


def check_number(field: str, text: str) -> float:
    """The number that a person typed for a field of `RANGES`.

    Raises:
        ConfigError: it is not a number, or out of range.
    """
    kind, least, most = RANGES[field]
    number = least - 1
    for_comma = "." if kind is float else ""
    plain = text.strip().replace("_", "").replace(",", for_comma)
    with suppress(ValueError):
        number = kind(plain)
    if not least <= number <= most:
        whole = "a whole number" if kind is int else "a number"
        allowed = f"{whole} from {least:,} to {most:,}"
        raise ConfigError(f"{field} is {shown(text.strip())}, but must be {allowed}")
    return number
