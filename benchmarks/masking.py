"""How much of what is personal leaves masked, and how much of what is harmless is masked with it:
`python -m benchmarks.masking`. Its values (masking_values.yml, Faker) are none the rules of
amx_kimi.redact were tuned on; keep it so: tune on anything but this.

A value is masked when it does not leave as it is. The values are the same each time, but for birth
dates within national ids, which Faker counts from today.
"""

import json
import random
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import click
import yaml
from faker import Faker

from amx_kimi.redact import Redactor, redact_text
from amx_kimi.types import Item, RawFacts

__all__ = ["main", "measure"]

SEED = 20261128
PERSONAL = "ABCDE"  # sections whose values ought to be masked
SHOWN = 8  # as many values of a column as a run looks at
WIDE = 40  # distinct values of a column that is no enumeration
_FILE = Path(__file__).with_name("masking_values.yml")
VALUES: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
LOCALES: list[str] = VALUES["faker"]["locales"].split()
_IBANS: list[str] = VALUES["faker"]["ibans"].split()
_IDS = {where: how for how, by in VALUES["faker"]["ids"].items() for where in by.split()}
_EAST = ("zh_CN", "zh_TW", "ja_JP", "ko_KR")  # write full names with and without a space
_SCRIPTS = {"Hiragana": "Kana", "Katakana": "Kana", "Cjk": "Han"}  # as Unicode names letters
_ORDER = "Kana Han Hangul Thai Hebrew Greek Devanagari Arabic Cyrillic Latin".split()


@dataclass(frozen=True)
class Column:
    """A column (or comment) that was looked at: its values, and whether each left as it is."""

    section: str
    what: str
    where: str  # a locale, a kind or a column's name
    values: list[str]
    left: list[bool]


class Maker:
    """Fills patterns in: `{h12}` is twelve hex digits, `{o}` a number up to 255, `{n}` that of a
    house, `{m}` minutes, `{p}` a German postcode, `{host}` a word or format of that name."""

    def __init__(self) -> None:
        self.random = random.Random(SEED)
        self.formats = {name: _lines(text) for name, text in VALUES["formats"].items()}
        self.keys = {name: _lines(text) for name, text in VALUES["keys"].items()}
        self.words = {name: _split(text) for name, text in VALUES["words"].items()}
        self._fakers: dict[str, Any] = {}
        self._makers: dict[str, Callable[[], str]] = {
            "o": lambda: str(self.random.randint(1, 254)),
            "n": lambda: str(self.random.randint(1, 180)),
            "m": lambda: f"{self.random.randint(0, 59):02}",
            "p": lambda: f"{self.random.randint(1067, 99998):05}",
            "faker_email": lambda: self.fake(self.random.choice(_IBANS), "email"),
            "iban": lambda: self.fake(self.random.choice(_IBANS), "iban"),
            "iban_spaced": lambda: _grouped(self.fake(self.random.choice(_IBANS), "iban"), " "),
            "card": lambda: self.fake("en_US", "credit_card_number", card_type="visa16"),
            "card_spaced": lambda: _grouped(self._makers["card"](), " "),
            "card_dashed": lambda: _grouped(self._makers["card"](), "-"),
            "api_key": lambda: self.any(self.random.choice(list(self.keys.values()))),
            "date": lambda: str(date.fromordinal(self.random.randint(710_000, 736_000))),
        }
        for name, how in VALUES["faker"]["named"].items():
            self._makers[name] = partial(self.fake, *how.split())

    def fake(self, locale: str, method: str, **how: Any) -> str:
        """A value of Faker's, on one line."""
        if locale not in self._fakers:
            self._fakers[locale] = Faker(locale)
            self._fakers[locale].seed_instance(SEED)
        made = str(getattr(self._fakers[locale], method)(**how)).replace("˜", "i")
        return ", ".join(line.strip() for line in made.splitlines())

    def any(self, patterns: list[str]) -> str:
        """Any of the patterns filled in."""
        return self.text(self.random.choice(patterns))

    def phone(self, locale: str) -> str:
        """A number as people there write it."""
        if locale == "tr_TR":
            return self.any(["+90 5{d2} {d3} {d2} {d2}", "0 (212) 5{d2} {d2} {d2}"])
        if locale == "ar_SA":
            return self.any(["+966 5{d1} {d3} {d4}", "05{d8}", "011 4{d2} {d4}"])
        return self.fake(locale, "phone_number")

    def text(self, pattern: str) -> str:
        """The pattern filled in."""
        return self.pieces(pattern)[0]

    def pieces(self, pattern: str) -> tuple[str, list[str]]:
        """The pattern filled in, and what was filled in."""
        found: list[str] = []

        def one(match: re.Match[str]) -> str:
            found.append(self._one(match[1], match[0]))
            return found[-1]

        return re.sub(r"\{(\w+)\}", one, pattern).replace(r"\n", "\n"), found

    def _one(self, name: str, whole: str) -> str:
        if name in self._makers:
            return self._makers[name]()
        if name in self.words:
            return self.any(self.words[name])
        if name in self.formats:
            return self.any(self.formats[name])
        if name.startswith("phone_"):
            return self.phone(name.removeprefix("phone_"))
        if name[0] in VALUES["alphabets"] and name[1:].isdigit():
            return "".join(self.random.choices(VALUES["alphabets"][name[0]], k=int(name[1:])))
        return whole


class People:
    """Names and places by locale: Faker's, unless masking_values.yml has its own."""

    def __init__(self, maker: Maker) -> None:
        self.maker = maker

    def one(self, kind: str, locale: str) -> str:
        """A value of that kind."""
        own = VALUES["own"].get(kind, {}).get(locale)
        if own:
            return self.maker.any(_lines(own) if kind == "streets" else _split(own))
        if kind in ("full names", "full names, spaced"):
            return self._full(locale, " " if kind.endswith("spaced") else "")
        methods = {"first names": "first_name", "last names": "last_name", "cities": "city"}
        if (kind, locale) == ("cities", "ru_RU"):
            return self.maker.fake(locale, "city_name")  # the other says what kind of place it is
        return self.maker.fake(locale, methods.get(kind, "street_address"))

    def _full(self, locale: str, between: str) -> str:
        if locale in _EAST:
            return between.join(self.one(kind, locale) for kind in ("last names", "first names"))
        if locale == "vi_VN":
            return " ".join(self.one(f"{k} names", locale) for k in ("last", "first", "first"))
        return self.maker.fake(locale, "name")

    def pool(self, kind: str, locale: str, size: int = WIDE) -> list[str]:
        """That many different values, or as many as there are."""
        return _pool(lambda: self.one(kind, locale), size)


def _pool(make: Callable[[], str], size: int = WIDE) -> list[str]:
    """That many different values, or as many as there are."""
    return list(dict.fromkeys(make() for _ in range(size * 10)))[:size]


def _lines(text: str) -> list[str]:
    return text.strip("\n").split("\n")


def _split(text: str) -> list[str]:
    return [value.strip() for value in text.split(" | ")]


def _eights(pool: list[str]) -> Iterator[list[str]]:
    yield from (pool[i : i + SHOWN] for i in range(0, len(pool), SHOWN))


def _grouped(digits: str, by: str) -> str:
    return by.join(digits[i : i + 4] for i in range(0, len(digits), 4))


def _normal(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _script(value: str) -> str:
    """The script of a value's letters, "" without one; Kana before Han, any before Latin."""
    found = {unicodedata.name(c, "?").split(" ")[0].split("-")[0] for c in value if c.isalpha()}
    named = {_SCRIPTS.get(name.capitalize(), name.capitalize()) for name in found}
    return next((script for script in _ORDER if script in named), "")


def _look(name: str, values: list[str], distinct: int) -> list[bool]:
    """Which of a column's most frequent values leave as they are."""
    item = Item("public", "t", name, kind="column", position=1, type="text")
    raw = RawFacts(distinct=distinct, values=tuple((value, 1000) for value in values))
    clear = {_normal(sample) for sample in Redactor().column(item, raw).samples or ()}
    return [_normal(value) in clear for value in values]


def _columns(section: str, what: str, where: str, name: str, pool: list[str]) -> Iterator[Column]:
    """The pool as columns of that name, eight values shown of each."""
    distinct = max(len(pool), WIDE if section in "AC" else 0)
    for shown in _eights(pool):
        yield Column(section, what, where, shown, _look(name, shown, distinct))


def _comment(section: str, what: str, where: str, text: str, pieces: list[str]) -> Column:
    """A comment; of a key, half of it is too much."""
    out = _normal(redact_text(text))
    left = []
    for piece in map(_normal, pieces):
        half = len(piece) // 2
        key = re.fullmatch(r"[\w+/=-]{24,}", piece)
        parts = (piece, piece[:half], piece[half:]) if key else (piece,)
        left.append(any(part in out for part in parts))
    return Column(section, what, where, pieces, left)


def _names(people: People) -> Iterator[Column]:
    """A and B's first part: people and places in columns called c1."""
    for locale in LOCALES:
        kinds = ["first names", "last names", "full names", "cities", "streets"]
        if locale in _EAST:
            kinds.insert(3, "full names, spaced")
        for kind in kinds:
            pool = people.pool(kind, locale)
            yield from _columns("A", kind, locale, "c1", pool)
            if "names" in kind:
                yield from _respelled(locale, pool)
            if kind.startswith("full"):
                for few in _eights(pool):
                    yield from _columns("B", "full names, narrow", locale, "c1", few)
    kana = _pool(lambda: people.maker.fake("ja_JP", "kana_name"))
    yield from _columns("A", "full names", "ja_JP kana", "c1", kana)


def _respelled(locale: str, pool: list[str]) -> Iterator[Column]:
    """Names as other databases spell them; of a column, those it makes a difference to."""
    ways: dict[str, Callable[[str], str]] = {
        "decomposed": partial(unicodedata.normalize, "NFD"),
        "in capitals": str.upper,
        "in small letters": str.lower,
    }
    for how, way in ways.items():
        for column in _columns("A", f"names, {how}", locale, "c1", list(map(way, pool))):
            pairs = zip(column.values, column.left, strict=True)
            kept = [(value, left) for value, left in pairs if value not in pool]
            if kept:
                values, lefts = zip(*kept, strict=True)
                yield replace(column, values=list(values), left=list(lefts))


def _named(people: People) -> Iterator[Column]:
    """B's second part: narrow columns whose name says what they hold."""
    maker = people.maker
    patterns = {"code": ["{d4}", "{U1}{d3}", "{d2}-{d3}"], "date": ["{date}"]}
    for key, names in VALUES["named"].items():
        kind, whose = key.split(" ")
        for name in _split(names):
            if kind in patterns:
                pool = _pool(partial(maker.any, patterns[kind]), SHOWN)
                yield from _columns("B", f"named columns: {whose}", name, name, pool)
            else:
                pool = people.pool(f"{kind} names", whose, SHOWN)
                yield from _columns("B", "named columns: people", name, name, pool)


def _formats(maker: Maker) -> Iterator[Column]:
    """C: formats as values, keys in comments, too."""
    for what, patterns in maker.formats.items():
        pool = _pool(partial(maker.any, patterns))
        yield from _columns("C", what.replace("_", " "), what, "c1", pool)
    by_locale: dict[str, tuple[list[str], Callable[[str], str]]] = {
        "phones": (LOCALES, maker.phone),
        "IBANs": (_IBANS, lambda locale: maker.fake(locale, "iban")),
        "IBANs, spaced": (_IBANS, lambda locale: _grouped(maker.fake(locale, "iban"), " ")),
        "national ids": (list(_IDS), lambda locale: maker.fake(locale, _IDS[locale])),
        "cards": (["en_US"], lambda locale: maker.fake(locale, "credit_card_number")),
        "cards, grouped": (["en_US"], lambda _: maker.any(["{card_spaced}", "{card_dashed}"])),
    }
    for what, (locales, make) in by_locale.items():
        for locale in locales:
            yield from _columns("C", what, locale, "c1", _pool(partial(make, locale)))
    for owner, patterns in maker.keys.items():
        pool = _pool(partial(maker.any, patterns))
        yield from _columns("C", "keys", owner, "c1", pool)
        for frame, key in zip(_lines(VALUES["frames"]), pool, strict=False):
            yield _comment("C", "keys in comments", owner, frame.replace("{}", key), [key])


def _secrets(maker: Maker) -> Iterator[Column]:
    """D: columns that are secret by their name alone."""
    patterns = _lines(VALUES["secret_patterns"])
    for kind, of in VALUES["secret_names"].items():
        for number, name in enumerate(_split(of)):
            pattern = "{date}" if kind == "date" else patterns[number % len(patterns)]
            pool = _pool(partial(maker.text, pattern), SHOWN)
            yield from _columns("D", f"secret columns: {kind}", name, name, pool)


def _sentences(maker: Maker) -> Iterator[Column]:
    """E: comments with personal formats in them, each three times."""
    for template in _lines(VALUES["sentences"]):
        for _ in range(3):
            text, pieces = maker.pieces(template)
            yield _comment("E", "formats in comments", template, text, pieces)


def _harmless() -> Iterator[Column]:
    """F and G: a column of G is one, however many values it has."""
    for what, values in VALUES["enumerations"].items():
        yield from _columns("F", "enumerations", what, "c1", _split(values))
    shuffled = random.Random(SEED)
    for name, values in VALUES["columns"].items():
        pool = _split(values)
        shown = shuffled.sample(pool, min(SHOWN, len(pool)))
        yield Column("G", "columns", name, shown, _look(name, shown, len(pool)))


def measure() -> list[Column]:
    """All of it."""
    people = People(maker := Maker())
    personal = (_names(people), _named(people), _formats(maker), _secrets(maker), _sentences(maker))
    columns = chain(*personal, _harmless())
    return sorted(columns, key=lambda column: column.section)


def _share(values: int, masked: int) -> str:
    return f"{masked / values:.1%}" if values else "–"


def _table(columns: list[Column]) -> Iterator[str]:
    """A row per kind, then the totals."""
    yield "| | what | columns | values | masked |"
    yield "|---|---|---|---|---|"
    rows: dict[tuple[str, str], list[Column]] = {}
    for column in columns:
        rows.setdefault((column.section, column.what), []).append(column)
    for (section, what), of in rows.items():
        yield _row(section, what, of)
    for sections in ["A", "B", "C", "D", "E", PERSONAL]:
        title = "**all personal values**" if sections == PERSONAL else "**all**"
        yield _row(sections, title, [c for c in columns if c.section in sections])
    scripts: dict[str, list[bool]] = {script: [] for script in _ORDER}
    for column in columns:
        if column.section in "AB":
            for value, left in zip(column.values, column.left, strict=True):
                scripts.get(_script(value), []).append(left)
    for script, lefts in scripts.items():
        share = _share(len(lefts), lefts.count(False))
        yield f"| AB | of these in {script} | | {len(lefts):,} | {share} |"
    yield _row("F", "**harmless values**", [c for c in columns if c.section == "F"])
    harmless = [_is_masked(column) for column in columns if column.section == "G"]
    share = _share(len(harmless), harmless.count(True))
    yield f"| G | **harmless columns** (more than half masked) | {len(harmless):,} | | {share} |"


def _row(section: str, what: str, of: list[Column]) -> str:
    values = sum(len(column.values) for column in of)
    share = _share(values, sum(column.left.count(False) for column in of))
    return f"| {section} | {what} | {len(of):,} | {values:,} | {share} |"


def _is_masked(column: Column) -> bool:
    return column.left.count(False) * 2 > len(column.left)


def _misses(columns: list[Column]) -> Iterator[str]:
    """Personal values that left, harmless ones that were masked."""
    for column in columns:
        wrong = column.section in PERSONAL
        pairs = zip(column.values, column.left, strict=True)
        missed = [value for value, left in pairs if left is wrong]
        if missed:
            mark = " [masked]" if column.section == "G" and _is_masked(column) else ""
            head = f"{column.section} {column.what}, {column.where}{mark}"
            yield f"{head}: {' | '.join(map(repr, missed))}"


@click.command(help=__doc__)
@click.option("--show", is_flag=True, help="List the misses, too.")
@click.option("--json", "as_json", is_flag=True, help="All columns and values as JSON instead.")
def main(show: bool, as_json: bool) -> None:
    """Measure and print."""
    columns = measure()
    if as_json:
        click.echo(json.dumps([asdict(column) for column in columns], ensure_ascii=False))
        return
    for line in _table(columns):
        click.echo(line)
    if show:
        click.echo()
        for line in _misses(columns):
            click.echo(line)


if __name__ == "__main__":
    main()
