"""What objects to a text: signs of a person, an address, a number that is somebody's, a key.

Patterns first: they need no checksum and no country, and object too often rather than too seldom.
phonenumbers and python-stdnum know what is left: short or lettered numbers of a country.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib import import_module
from types import ModuleType

from amx_kimi.conceal import key_spans, merged
from amx_kimi.redact.words import ordinary_words

__all__ = ["COUNTRIES", "is_formatted", "spans"]

_VALUE = re.compile(  # in a value: an address of any kind, long digits, a key
    r"@|://|\d{7,}|(?:\d[ (),./-]*){9,}|^\+[\d ()./-]{6,}$|^\(?0\d{1,5}\)?[ ./-]+\d{3,}|"
    r"^\d{3}[ .-]\d{4}$|\b(?:\d{1,3}\.){3}\d{1,3}\b|::|(?:[0-9A-Fa-f]{1,4}:){3}|"
    r"^(?:sk|pk|rk|gh[a-z]|xox[a-z])[-_]|"
    r"^[A-Z]{2}\d{2}[ A-Z0-9]{8,}$|^[\[{]|"
    r"^[-+]?\d{1,3}\.\d+\s*[,;]\s*[-+]?\d{1,3}\.\d+$|\d\s*°"  # a place on the map
)
_RUN = re.compile(r"[A-Za-z0-9+/=]{20,}|(?=[A-Za-z_+/=-]*\d)[A-Za-z0-9_+/=-]{20,}")
_HUMP = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^A-Za-z+/=]+")
_MAC = r"(?:[0-9A-Fa-f]{2}[-: ]){5}[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{4}[.-]){2}[0-9A-Fa-f]{4}"
_BARE_MAC = r"(?=\d*[A-Fa-f])(?=[A-Fa-f]*\d)[0-9A-Fa-f]{12}"
_SITE = (  # a URL without its scheme
    r"\bwww\.[\w-]+|(?<![\w@.-])(?:[\w-]{1,63}\.){1,4}[A-Za-z]{2,12}(?::\d{1,5})?/[\w~%.?=&#/-]|"
    r"(?<![\w@.-])(?:[\w-]{1,63}\.){1,4}(?:com|org|net|edu|gov|de|ch|fr|es|nl|be|pl|tr|ru|uk|eu|us|cn|jp|kr|br|mx|"
    r"io|ai|biz)\b(?![\w.-])"
)
_TEXT = re.compile(  # the same inside prose, where they begin and end at something else
    r"[^\s@<>\"'(),;:]{1,64}@[^\s@<>\"'(),;:]{1,255}|\b[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s<>\"')]+|"
    r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{2,4}){3,9}\b|\+?\(?\d(?:[ ()/.-]{0,2}\d){6,}|"
    r"\b(?:\d{1,3}\.){3}\d{1,3}\b|(?<![\w:])[0-9A-Fa-f]{0,4}:(?:[0-9A-Fa-f]{0,4}:){1,6}[0-9A-Fa-f.]{0,15}(?![\w:])|"
    rf"\b(?:{_MAC}|{_BARE_MAC})\b|"
    rf"(?:{_SITE})[^\s<>\"')]*|"
    r"(?<![\w+/=-])(?=(?:[A-Za-z_+/=-]*\d){3})(?=[\d_+/=-]*[A-Za-z])[A-Za-z0-9_+/=-]{20,}|"
    r"(?<![\w+/=-])(?=[A-Za-z_+/=-]*\d)(?=[a-z0-9+/]*[A-Z])[A-Za-z0-9+/]{40}(?![\w+/=-])|"
    r"(?i:(?<![^\W_])(?:password|passwort|kennwort|passwd|pwd?|secret|token)\s?[=:]\s?(?=[^\s\d]{0,30}\d)\S{4,64})"
)
_LONGEST = 300  # whatever is longer is no name, number or word of a status
_FORMATS = re.compile(rf"\b(?:{_MAC}|{_BARE_MAC})\b|{_SITE}")
_PLACE = re.compile(  # a street with its number, a postal code with its town
    r"(?:str(?:\.|asse|aße)?|weg|platz|allee|gasse|ring|ufer|damm|chaussee|steig|stieg|pfad|graben|wall|berg|"
    r"hof|markt|tal|park|brücke|bruecke|garten|hain|anger|feld|wiese|kamp|straat|laan|plein|gatan|vägen|vej|gata|vei|katu|"
    r"utca|sokak|sokağı|caddesi|cadde|улица|ул\.?|проспект|пр\.?|переулок)\.?,?\s+(?:д\.?\s*|no:?\s*|nr\.?\s*)?\d|"
    r"\d+\w?,?\s+(?:[\w.'-]+\s+){0,3}(?:street|st|road|rd|avenue|ave|lane|ln|drive|dr|way|court|ct|"
    r"place|pl|square|boulevard|blvd|terrace|parkway|highway|circle|crescent|close|grove)\b|"
    r"\b(?:rue|avenue|boulevard|chemin|impasse|place|quai|via|viale|piazza|corso|vicolo|calle|"
    r"avenida|av|plaza|paseo|camino|rua|travessa|ul|ulica|aleja|plac|ул|улица|пр|проспект)\b\.?.*\d|"
    r"\d.*\b(?:rue|chemin|boulevard|avenue)\b|"
    r"^(?:am|an|auf|beim?|hinter|im|in|neben|ober|unter|vor|zum?|zur)\s+(?:de[mnrs]\s+|die\s+|das\s+)?"
    r"(?:[^\W\d_][\w.-]*\s+){1,4}\d{1,4}\s?[a-z]?$|"
    r"\b(?:[a-z]{1,2}[- ])?\d{4,5}\s+[^\W\d_]{3,}|"
    r"\b\d{3}\s\d{2}\s+[^\W\d_]{3,}|\b\d{4}\s[A-Z]{2}\b|\b[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2}\b|"
    r"\b[A-Z]{2}\s+\d{5}(?:-\d{4})?\b|"
    r"\d+\s*(?:号|號|弄|室|楼|丁目|番地|番|号室)|(?:路|街|道|巷|로|길)\s*\d|〒",
    re.IGNORECASE,
)
_DATE = re.compile(r"(?:19|20)\d\d[-./ ]?\d\d[-./ ]?\d\d|\d\d?[-./ ]\d\d?[-./ ](?:19|20)\d\d")
_PHONE = re.compile(r"[\d+()/. -]+")

_NUMBERS = {  # numbers of people, by country, in python-stdnum's names
    **{"at": "vnr tin", "au": "tfn", "be": "nn bis", "br": "cpf", "ca": "sin", "ch": "ssn"},
    **{"cn": "ric", "cz": "rc", "de": "idnr stnr", "dk": "cpr", "es": "dni nie nif", "fi": "hetu"},
    **{"fr": "nir nif", "gb": "nhs", "ie": "pps", "in": "aadhaar pan", "it": "codicefiscale"},
    **{"nl": "bsn", "no": "fodselsnummer", "pl": "pesel", "pt": "cc", "se": "personnummer"},
    **{"tr": "tckimlik", "us": "ssn itin", "za": "idnr"},
}
_PACKAGES = {"in": "in_"}
_INSURANCE = re.compile(r"[A-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-D]", re.IGNORECASE)

COUNTRIES = frozenset(_NUMBERS)
"""The countries whose numbers of people can be told; phone numbers of any country can."""


def is_formatted(value: str, countries: Sequence[str]) -> bool:
    """Whether a value has the format of somebody's address, number or key; what is too long for
    anything else counts as one."""
    return (
        len(value) > _LONGEST
        or _VALUE.search(value) is not None
        or _FORMATS.search(value) is not None
        or _PLACE.search(value) is not None
        or any(True for _ in key_spans(value))
        or any(not _are_words(run) for run in _RUN.findall(value))
        or _is_number_of_somebody(value, countries)
    )


def _are_words(run: str) -> bool:
    """Whether a long run is ordinary words in a row, such as `partiallyFulfilledOrder`."""
    return all(part.lower() in ordinary_words() for part in _HUMP.findall(run))


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Where in prose such formats stand, in order."""
    formats = (found.span() for found in _TEXT.finditer(text) if not _is_time(found[0]))
    yield from merged([*formats, *key_spans(text)])


def _is_time(text: str) -> bool:
    """Whether what has two colons is no IPv6 address, such as 10:30:00."""
    has_letters = any(character.isalpha() for character in text)
    return text.count(":") == 2 and "::" not in text and not has_letters


def _is_number_of_somebody(value: str, countries: Sequence[str]) -> bool:
    digits = sum(character.isdigit() for character in value)
    lettered = any(character.isalpha() for character in value)
    if digits < (4 if lettered else 7) or len(value) < 7 or _DATE.fullmatch(value):
        return False
    if "gb" in countries and _INSURANCE.fullmatch(value):
        return True
    if _PHONE.fullmatch(value) and _is_phone(value, countries):
        return True
    return any(module.is_valid(value) for module in _modules(tuple(countries)))


def _is_phone(value: str, countries: Sequence[str]) -> bool:
    import phonenumbers

    def parses(country: str) -> bool:
        try:
            return phonenumbers.is_valid_number(phonenumbers.parse(value, country.upper()))
        except phonenumbers.NumberParseException:
            return False

    return any(map(parses, countries))


@lru_cache(maxsize=8)
def _modules(countries: tuple[str, ...]) -> tuple[ModuleType, ...]:
    return tuple(
        import_module(f"stdnum.{_PACKAGES.get(country, country)}.{name}")
        for country in countries
        for name in _NUMBERS.get(country, "").split()
    )
