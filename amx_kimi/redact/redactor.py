"""What a run may show of columns and tables, under the rules of `kimi.yml` and its options."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, Literal

from amx_kimi.config import Masking
from amx_kimi.redact.columns import sense_of
from amx_kimi.redact.detectors import is_formatted
from amx_kimi.redact.people import are_names, are_words, is_full_name
from amx_kimi.redact.shapes import Masked, shape
from amx_kimi.redact.texts import LONGEST_VALUE, declared_value, redact_sql, redact_text
from amx_kimi.types import Item, RawFacts

__all__ = ["ColumnFacts", "Redactor", "check_masked", "facts_again", "kept"]

_LEAST_OCCURRENCES = 5
_MANY = 30  # so many different words are names of something: people, places, firms
_LONGEST_ALLOWED = 200
_LONGEST_COMMENT = 600
_LONGEST_TYPE = 1_000

Rule = Literal["never", "always"] | None


@dataclass(frozen=True)
class ColumnFacts:
    """A column's facts as the model sees them; `known` are those that the schema itself tells.

    Raises:
        TypeError: a text among them has not passed the redactor.
    """

    nulls: int | None = None
    distinct: int | None = None
    least: Masked | None = None
    greatest: Masked | None = None
    samples: tuple[Masked, ...] = ()
    keys: tuple[Masked, ...] = ()
    known: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_masked([self.least, self.greatest, *self.samples, *self.keys, self.known])

    def as_json(self) -> Mapping[str, object]:
        """The prompt's and the journal's form; unknown facts are left out."""
        shown = {
            "nulls": self.nulls,
            "distinct": self.distinct,
            "min": self.least,
            "max": self.greatest,
            "samples": list(self.samples) or None,
            "keys": list(self.keys) or None,
            **self.known,
        }
        return {name: value for name, value in shown.items() if value is not None}


@dataclass(frozen=True)
class Redactor:
    """The chokepoint of one run. Without `samples` no value leaves, not even its shape; with
    `names_only` nothing but names, types and keys."""

    masking: Masking = Masking()
    samples: bool = True
    names_only: bool = False

    def item(self, item: Item) -> Item:
        """An item of the inventory as the journal may keep it, and the model see it."""
        if self.names_only:
            bare = replace(item, comment="", rows=None, definition="", details={})
            return replace(bare, type=self._type(item))
        details = {key: self._detail(item, key, value) for key, value in item.details.items()}
        return replace(
            item,
            type=self._type(item),
            comment=redact_text(item.comment),
            definition=self.sql(item.definition, values=self._shows_values(item)),
            details={key: value for key, value in details.items() if value is not None},
        )

    def sql(self, text: str, *, values: bool = True) -> Masked:
        """The SQL of a view or a model; without `values`, its literals are shapes."""
        return redact_sql(text, self.masking.countries, values=values and self.samples)

    def column(self, item: Item, raw: RawFacts) -> ColumnFacts:
        """A column's statistics and, from the journal, what the schema tells of it."""
        if self.names_only:
            return ColumnFacts()
        known = kept(item)
        if not self._shows_values(item):
            return ColumnFacts(raw.nulls, raw.distinct, known=known)
        shapes_only = self._rule(item) is None and _are_names(item, raw)
        counts = dict(raw.values)

        def masked(value: str, count: int) -> Masked:
            return shape(value) if shapes_only else self.mask(item, value, count)

        def bound(value: str | None) -> Masked | None:
            return None if value is None else masked(value, counts.get(value, 1))

        return ColumnFacts(
            nulls=raw.nulls,
            distinct=raw.distinct,
            least=bound(raw.least),
            greatest=bound(raw.greatest),
            samples=tuple(dict.fromkeys(masked(v, count) for v, count in raw.values)),
            keys=tuple(self._keys(item, raw)),
            known=known,
        )

    def mask(self, item: Item, value: str, occurrences: int) -> Masked:
        """The value itself if it may leave, else its shape; also when a detector fails."""
        try:
            may_leave = self._may_leave(item, value, occurrences)
        except Exception:
            # Fail closed: whatever a library makes of a strange value, the value stays here.
            may_leave = False
        return Masked(value) if may_leave else shape(value)

    def _may_leave(self, item: Item, value: str, occurrences: int) -> bool:
        rule = self._rule(item)
        if rule == "never" or len(value) > _LONGEST_ALLOWED or not value.isprintable():
            return False
        if is_formatted(value, self.masking.countries):
            return False
        if rule == "always":
            return True
        return (
            occurrences >= _LEAST_OCCURRENCES
            and len(value) <= LONGEST_VALUE
            and _may_name(item, value)
        )

    def _shows_values(self, item: Item) -> bool:
        return self.samples and self._rule(item) != "never"

    def _rule(self, item: Item) -> Rule:
        """`never` before `always`; a pattern is for `schema.table.column` or `table.column`."""
        names = {item.name.lower(), f"{item.table}.{item.column}".lower()}

        def matches(patterns: tuple[str, ...]) -> bool:
            return any(fnmatchcase(name, p.lower()) for p in patterns for name in names)

        if matches(self.masking.never):
            return "never"
        return "always" if matches(self.masking.always) else None

    def _type(self, item: Item) -> Masked:
        """Some databases spell an enum's values out in the type."""
        if not any(mark in item.type for mark in "'\""):
            return Masked(item.type[:_LONGEST_TYPE])
        values = not self.names_only and self._shows_values(item)
        masked = redact_sql(item.type, self.masking.countries, declared=True, values=values)
        return Masked(masked[:_LONGEST_TYPE])

    def _detail(self, item: Item, key: str, value: Any) -> Any:
        values, countries = self._shows_values(item), self.masking.countries
        if key == "type_comment":
            return redact_text(value)
        if key == "generated":
            return redact_sql(value, countries, values=values) or None
        if key == "check":
            return (redact_sql(value, countries, declared=True) or None) if values else None
        if key == "values":
            many = len(value) >= _MANY and are_words(value)
            return [declared_value(v, countries) for v in value] if values and not many else None
        return value

    def _keys(self, item: Item, raw: RawFacts) -> Iterator[Masked]:
        """The top-level keys of documents: those that look like names of fields and recur."""
        if len(raw.keys) >= _MANY:
            return  # a map by something, such as by person
        for key, count in raw.keys:
            often = count >= _LEAST_OCCURRENCES
            if often and key.isidentifier() and not is_formatted(key, self.masking.countries):
                yield self.mask(replace(item, column=""), key, count)


def kept(item: Item) -> Mapping[str, Any]:
    """What the journal keeps of an item besides its names: `Redactor.item` has let it in."""
    comment = item.comment[:_LONGEST_COMMENT]
    known = {"comment": comment or None, **item.details, "view": item.definition or None}
    return {key: _as_masked(value) for key, value in known.items() if value is not None}


def check_masked(value: Any) -> None:
    """Refuse a text that is not `Masked`, at any depth.

    Raises:
        TypeError: there is one.
    """
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            check_masked(each)
    elif isinstance(value, str) and not isinstance(value, Masked):
        raise TypeError("a text that has not passed the redactor")


def facts_again(kept: Mapping[str, Any], **told: str) -> ColumnFacts:
    """A column's facts as the journal kept them, for they had passed the redactor; `told` is what a
    person adds, and passes it now."""
    added = {key: redact_text(text) for key, text in told.items()}
    return ColumnFacts(known={**_as_masked(kept), **added})


def _as_masked(value: Any) -> Any:
    if isinstance(value, str):
        return Masked(value)
    if isinstance(value, Mapping):
        return {key: _as_masked(each) for key, each in value.items()}
    return [_as_masked(each) for each in value] if isinstance(value, list | tuple) else value


def _are_names(item: Item, raw: RawFacts) -> bool:
    """Whether a column's values are names: of people, or many words that no dictionary has. Names
    of people, places or firms have no checksum, but they are many."""
    sense = sense_of(item.column, item.table)
    if sense == "thing":
        return False
    values = [value for value, _ in raw.values]
    are_many = max(raw.distinct or 0, raw.seen, len(values)) >= _MANY
    return (are_many and are_words(values)) or (sense == "" and are_names(values))


def _may_name(item: Item, value: str) -> bool:
    """Whether neither the column's name nor the value itself says that it belongs to a person."""
    sense = sense_of(item.column, item.table)
    return sense == "thing" or (sense != "personal" and not is_full_name(value))
