"""What objects to a text: signs of a person, an address, a number that is somebody's, a key.

Patterns first: they need no checksum and no country, and object too often rather than too seldom.
phonenumbers and python-stdnum know what is left: short or lettered numbers of a country.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib import import_module
from types import ModuleType

__all__ = ["COUNTRIES", "is_formatted", "is_full_name", "sounds_personal", "spans"]

_COLUMN = re.compile(  # in a column's name: people, places, ways to reach them, secrets
    r"name|mail|phone|tel(?!l)|fax|mobil|handy|add?r|street|stra?(ss|ß)e|^str$|city|town|"
    r"(^|_|wohn)ort|plz|zip|postal|birth|geb|iban|konto|kto|acc(oun)?t_?n|ssn|passw|pwd|kennw|"
    r"secret|token|card|vorn|nachn|person|kontakt|contact|user|usr|login|bemerk|comm?ent|komment|"
    r"note|notiz|text|txt|memo|(^|_)nm\d?$|mitarb|angest|ansprech|verk(ae|ä)ufer|sachb|bearb|erfass|"
    r"erstell|author|autor|owner|actor|(^|_)by$|inhaber|kunde$|customer$|patient|diagn|dob$|"
    r"(^|_)pin$|(^|_)key$|api_?key|steuer_?n|tax_?id|cc_|plate|vermerk|"
    r"(^|_)(lat|lon|lng)$|latitud|longitud|salar|gehalt|religio|ethnic|gesundh|health",
    re.IGNORECASE,
)
_VALUE = re.compile(  # in a value: an address of any kind, long digits, a key
    r"@|://|\d{7,}|(?:\d[ (),./-]*){9,}|^\+[\d ()./-]{6,}$|^\(?0\d{1,5}\)?[ ./-]+\d{3,}|"
    r"^\d{3}[ .-]\d{4}$|\b(?:\d{1,3}\.){3}\d{1,3}\b|::|(?:[0-9A-Fa-f]{1,4}:){3}|"
    r"(?:[0-9A-Fa-f]{2}-){5}|[A-Za-z0-9+/=]{20,}|(?=[A-Za-z_+/=-]*\d)[A-Za-z0-9_+/=-]{20,}|^(?:sk|pk|rk|gh[a-z]|xox[a-z])[-_]|"
    r"^[A-Z]{2}\d{2}[ A-Z0-9]{8,}$|^[\[{]"
)
_TEXT = re.compile(  # the same inside prose, where they begin and end at something else
    r"[^\s@<>\"'(),;:]{1,64}@[^\s@<>\"'(),;:]{1,255}|\b[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s<>\"')]+|"
    r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{2,4}){3,9}\b|\+?\(?\d(?:[ ()/.-]{0,2}\d){6,}|"
    r"\b(?:\d{1,3}\.){3}\d{1,3}\b|(?:[0-9A-Fa-f]{0,4}:){3,}[0-9A-Fa-f]{0,4}|"
    r"\b(?:[0-9A-Fa-f]{2}[-:]){5}[0-9A-Fa-f]{2}\b|\b(?:sk|pk|rk|gh[a-z]|xox[a-z])[-_]\w[\w-]{5,}|"
    r"(?<![\w+/=-])(?=(?:[A-Za-z_+/=-]*\d){3})(?=[\d_+/=-]*[A-Za-z])[A-Za-z0-9_+/=-]{20,}"
)
_PLACE = re.compile(  # a street with its number, a postal code with its town
    r"(?:str(?:\.|asse|aße)|weg|platz|allee|gasse|ring|ufer|damm|straat|laan|plein|gatan|vej)\s+\d|"
    r"\d+\w?,?\s+(?:[\w.'-]+\s+){0,3}(?:street|st|road|rd|avenue|ave|lane|ln|drive|dr|way|court|ct|"
    r"place|pl|square|boulevard|blvd|terrace|parkway|highway)\b|"
    r"\b(?:rue|avenue|boulevard|chemin|impasse|place|quai|via|viale|piazza|corso|vicolo|calle|"
    r"avenida|plaza|paseo|camino|rua|ul)\b\.?.*\d|\d.*\b(?:rue|chemin|boulevard|avenue)\b|"
    r"\b\d{4,5}\s+[^\W\d_]{3,}",
    re.IGNORECASE,
)
_NAME_PART = re.compile(r"[\w.'’-]+")
_NO_NAME = frozenset(  # words that stand beside other words in a status, not beside a first name
    "a an and are at awaiting by closed completely for from full fully in is new no not of off on "
    "open or out over partially partly per pre re the to under up via waiting with without yes "
    "an auf aus bei bis das dem den der des die ein in ist mit nach nicht noch oder ohne teilweise "
    "und vom von vor wird zu zum zur".split()
)
_PARTICLES = frozenset("al bin da de del della den der di du el la le van vom von zu zur".split())
_INVERTED = re.compile(r"[^\W\d_]{2,}(?:-[^\W\d_]+)?\s*,\s*[^\W\d_]{2,}")
_BETWEEN = re.compile(r"[\s,;:/()\"]+")
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


@lru_cache(maxsize=1_000)
def sounds_personal(column: str) -> bool:
    """Whether a column's name suggests people, places, ways to reach them, secrets or free text."""
    return _COLUMN.search(column) is not None


def is_formatted(value: str, countries: Sequence[str]) -> bool:
    """Whether a value has the format of somebody's address, number or key."""
    return (
        _VALUE.search(value) is not None
        or _PLACE.search(value) is not None
        or _is_number_of_somebody(value, countries)
    )


def is_full_name(value: str) -> bool:
    """Anna Schmidt; Müller, Hans; WEBER,ANNA; K. Lang; Anna von Berg, also within a longer text:
    capitalised words side by side, the last of them not in capitals only; two words and a comma."""
    if _INVERTED.fullmatch(value):
        return True
    words = [word for word in _BETWEEN.split(value) if word]
    parts = [word for word in words if word.lower() not in _PARTICLES]
    return any(map(_is_pair, parts, parts[1:]))


def _is_pair(first: str, last: str) -> bool:
    return (
        all(_NAME_PART.fullmatch(word) and word[0].isupper() for word in (first, last))
        and any(character.islower() for character in last)
        and first.lower() not in _NO_NAME
        and last.lower() not in _NO_NAME
    )


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Where in prose such formats stand."""
    return (found.span() for found in _TEXT.finditer(text))


def _is_number_of_somebody(value: str, countries: Sequence[str]) -> bool:
    digits = sum(character.isdigit() for character in value)
    lettered = any(character.isalpha() for character in value)
    if digits < (4 if lettered else 7) or len(value) < 7 or _DATE.fullmatch(value):
        return False
    if "gb" in countries and _INSURANCE.fullmatch(value):
        return True
    if 7 <= digits <= 15 and _PHONE.fullmatch(value) and _is_phone(value, countries):
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
