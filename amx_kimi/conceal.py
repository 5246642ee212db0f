"""Keys and passwords inside of texts: found, and taken out before somebody sees or keeps the text.

Keys of known makers are told by detect-secrets' rules and by a table (`facts/key_makers.yml`).
"""

import re
import sys
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module

from amx_kimi.types import Secret, mask_key

__all__ = ["conceal_key", "conceal_text", "conceal_url", "key_spans", "may_be_secret", "merged"]
__all__ += ["shown"]

# Its rules for npm, OpenAI and for words before a key (Cloudant, IBM, Softlayer) take quadratic
# time and more with hostile texts; those for JWT, keywords and entropy find too much or too little.
_DETECTORS = (
    *("artifactory.Artifactory", "aws.AWSKey", "azure_storage_key.AzureStorageKey"),
    *("basic_auth.BasicAuth", "discord.DiscordBotToken", "github_token.GitHubToken"),
    *("gitlab_token.GitLabToken", "mailchimp.Mailchimp", "pypi_token.PypiToken"),
    *("sendgrid.SendGrid", "slack.Slack", "square_oauth.SquareOAuth", "stripe.Stripe"),
    *("telegram_token.TelegramBotToken", "twilio.TwilioKey"),
)
_BLOCK = (
    r"-{0,5} ?BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY[A-Z ]{0,10}-*"
    r"(?:[^-]{0,5000}-{0,5} ?END [A-Z0-9 ]{0,60}-*|(?:\s+[A-Za-z0-9+/=]{8,}){0,500})"
)
_HEADER = (
    r"\b(?i:basic|bearer)[ :]+(?=[\w+/=.-]*[\d=A-Z])[A-Za-z0-9+/=._-]{8,}|"
    r"(?i:\b(?:authorization|x-api-key)\s{0,3}[:=]\s{0,3}(?:\w{4,10}\s+)?[^\s,;\"']{4,})"
)
_NAMED = r"\w{0,40}(?:passw(?:or)?[dt]|passphrase|kennwort|pwd|secret|token)|pass|pw|api[_-]?key"
_ASSIGNED = re.compile(  # what a person may have typed to give a secret a value
    rf"(?<![^\W_])(?:{_NAMED}|credentials?)[\"']?\s*(?:[=:]|\s)\s*[\"']?\S|"
    r"\w*_?KEY=\S|[?&]\w*(?:key|sig)=|:[^\s/@]*@",
    re.IGNORECASE,
)
_WHOLE_URL = re.compile(r"([A-Za-z][\w+.-]*://)([^:/@]*):.*@", re.DOTALL)
_NO_PORT = re.compile(r"(?<=://)([^:/@\[]+):(?!\d{1,5}(?:[/?#]|$))[^/@]+")
_USER_PASSWORD = re.compile(r"(?<=://)([^\s\"'<>:/@]{0,256}):[^\s\"'<>]{0,256}@")
_USER_TOKEN = re.compile(r"(?<=http://|ttps://)[^\s\"'<>:/@]{1,256}@")
_QUOTED = r"'[^']{0,256}'|\"[^\"]{0,256}\""
_PASSWORD = re.compile(  # password=x, 'password': 'x', password:x; not `no api_key: it is blank`
    rf"(?<![^\W_])({_NAMED}|(?<=[?&])(?:key|sig))([\"']?\s{{0,3}}(?:=|%3D|:(?!//))\s{{0,3}})"
    rf"({_QUOTED}|(?<=[=:D])[^\s&;,'\")]{{1,256}}|(?<==\s)[^\s&;,'\")]{{1,256}})",
    re.IGNORECASE,
)
_RANDOM = re.compile(r"(?=[A-Za-z]*\d[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{16,}")
_RANDOM_WORD = re.compile(r"(?<![\w/.-])(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{24,}(?![\w/.-])")
_LONGEST_SHOWN = 120
_LETTER = re.compile(
    r"%(?:25)*(?P<percent>[0-9A-Fa-f]{2})|\\u(?P<u>[0-9A-Fa-f]{4})|\\x(?P<x>[0-9A-Fa-f]{2})|"
    r"&#[xX](?P<entity>[0-9A-Fa-f]{1,6});|&#(?P<decimal>[0-9]{1,7});|[^\W_]"
)
_NUMBERED = re.compile(r"%[0-9A-Fa-f]{2}|\\[ux][0-9A-Fa-f]{2}|&#")  # rare: a letter as a number
_NO_LETTER = re.compile(r"[\W_]+")
_SHORTEST_KEY = 4
_SHORTEST_PIECE = 9  # "longer than 8 of its characters in a row"


@cache
def _own_rule() -> re.Pattern[str]:
    """Private keys, headers, and the beginnings of keys in our table."""
    # Every command imports this module, and few need the table.
    from importlib.resources import files

    from amx_kimi.plain_yaml import FAST_LOADER, load_yaml

    text = (files("amx_kimi.facts") / "key_makers.yml").read_text(encoding="utf-8")
    table = load_yaml(text, FAST_LOADER)
    own = [rf"{re.escape(p)}[A-Za-z0-9]{{{n},}}" for p, n in table["words"].items()]
    own += [rf"{re.escape(p)}[\w.=-]{{{n},}}" for p, n in table["phrases"].items()]
    return re.compile(f"{_BLOCK}|{_HEADER}|(?<![A-Za-z0-9])(?:{'|'.join(own)})")


@cache
def _their_rules() -> tuple[re.Pattern[str], ...]:
    """Of detect-secrets, whose import takes a third of a second."""
    rules: list[re.Pattern[str]] = []
    for name in _DETECTORS:
        module, kind = name.split(".")
        detector = getattr(import_module(f"detect_secrets.plugins.{module}"), f"{kind}Detector")
        rules += detector.denylist
    return tuple(rules)


def key_spans(text: str) -> Iterable[tuple[int, int]]:
    """Where keys of known makers stand in a text, private keys, and what an `Authorization` header
    has; they may overlap."""
    rules = (_own_rule(), *_their_rules())
    return (found.span() for rule in rules for found in rule.finditer(text))


def may_be_secret(line: str) -> bool:
    """Whether a typed line may hold a key or a password."""
    if any(True for _ in key_spans(line)):
        return True
    return _RANDOM_WORD.search(line) is not None or _ASSIGNED.search(line) is not None


def conceal_text(text: str) -> str:
    """A text for people, such as an error's: URLs and connection strings without passwords, and
    `sk-…` with the last four characters in place of each key."""
    plain = _USER_TOKEN.sub("…@", _USER_PASSWORD.sub(r"\1:…@", text))
    plain = _PASSWORD.sub(r"\1\2…", plain)
    return _own_rule().sub(lambda found: mask_key(found[0]), plain)


def conceal_url(url: str) -> str:
    """A URL, or what was meant to be one, fit to show."""
    plain = conceal_text(_NO_PORT.sub(r"\1:…", _WHOLE_URL.sub(r"\1\2:…@", url)))
    if "@" in plain and "://" not in plain:
        return f"…@{plain.rpartition('@')[2]}"
    return plain


def shown(value: object) -> str:
    """A value of a configuration, or a word of a command line, as an error repeats it: quoted, cut,
    and without what may be a key."""
    plain = conceal_url(value) if isinstance(value, str) else conceal_text(repr(value))
    plain = _RANDOM.sub(lambda found: f"…{found[0][-4:]}", plain)
    return (repr(plain) if isinstance(value, str) else plain)[:_LONGEST_SHOWN]


def conceal_key(text: str, key: Secret) -> str:
    r"""A text without this key: whatever is longer than 8 of its characters in a row is replaced,
    in capitals or not, as numbers (%73, &#115;, \u0073), or with other signs between them."""
    secret = key.reveal()
    own = _letters(secret)
    if len(own) < _SHORTEST_PIECE:  # as it is: so few letters stand in other words, too
        if len(own) < _SHORTEST_KEY:
            return text
        exact = re.compile(re.escape(secret), re.IGNORECASE)
        return exact.sub(lambda _: str(key), text)
    starts = range(len(own) - _SHORTEST_PIECE + 1)
    pieces = {own[at : at + _SHORTEST_PIECE] for at in starts}
    if _NUMBERED.search(text):
        squeezed = _letters(text)
    else:
        squeezed = _NO_LETTER.sub("", unicodedata.normalize("NFKC", text)).lower()
    if not any(piece in squeezed for piece in pieces):
        return text
    kept, places = _placed(text)
    found = (
        (places[at][0], places[at + _SHORTEST_PIECE - 1][1])
        for at in range(len(kept) - _SHORTEST_PIECE + 1)
        if kept[at : at + _SHORTEST_PIECE] in pieces
    )
    return _without(text, found, lambda _: str(key))


def _letters(text: str) -> str:
    """The letters and digits of a text, in small letters, whatever they are written as."""
    return "".join(_letter(found) for found in _LETTER.finditer(text))


def _placed(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The same, and where each of them stands."""
    kept, places = [], []
    for found in _LETTER.finditer(text):
        if letter := _letter(found):
            kept.append(letter)
            places.append(found.span())
    return "".join(kept), places


def _letter(found: re.Match[str]) -> str:
    """One letter or digit; "" for what is none."""
    letter = found[0]
    if name := found.lastgroup:  # it is written as a number
        number = int(found[name], 10 if name == "decimal" else 16)
        letter = chr(number) if number <= sys.maxunicode else ""
    if not letter.isascii():
        letter = unicodedata.normalize("NFKC", letter)[:1]
    return letter.lower() if letter.isalnum() else ""


def _without(text: str, spans: Iterable[tuple[int, int]], show: Callable[[str], str]) -> str:
    parts, end = [], 0
    for start, stop in merged(spans):
        parts += [text[end:start], show(text[start:stop])]
        end = stop
    return "".join([*parts, text[end:]])


def merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, those that overlap as one."""
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if merged and start < merged[-1][1]:
            first, last = merged[-1]
            merged[-1] = (first, max(stop, last))
        else:
            merged.append((start, stop))
    return merged
