"""Mappings from YAML files into frozen dataclasses, with errors that name file, row and column."""

import datetime
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin

from amx_kimi.conceal import shown
from amx_kimi.errors import ConfigError, FactsError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["build"]

_T = TypeVar("_T", bound="DataclassInstance")


def build(kind: type[_T], values: object, where: str, error: type[ConfigError] = FactsError) -> _T:
    """`values` (a YAML mapping) as a `kind`, a dataclass whose annotations say what is allowed.

    Raises:
        ConfigError: as the class `error`: a key is unknown, missing or of another type; `where`
            names the file and the row.
    """
    try:
        return _build(kind, values, where)
    except _Mismatch as mismatch:
        raise error(str(mismatch)) from None


class _Mismatch(Exception):
    pass


def _build(kind: type[_T], values: object, where: str) -> _T:
    if not isinstance(values, Mapping):
        raise _Mismatch(f"{where}: expected a mapping, found {shown(values)}")
    known = {f.name: f for f in fields(kind)}
    if unknown := sorted(set(map(str, values)) - set(known)):
        names = ", ".join(known)
        raise _Mismatch(f"{where}: unknown key {shown(unknown[0])} (known: {names})")
    for name, column in known.items():
        if name not in values and column.default is MISSING and column.default_factory is MISSING:
            raise _Mismatch(f"{where}: the key {name!r} is missing")
    typed: dict[str, Any] = {}
    for name, value in values.items():
        typed[name] = _typed(known[name].type, value, f"{where}, key {name!r}")
    return kind(**typed)


def _typed(kind: Any, value: object, where: str) -> Any:
    origin, args = get_origin(kind), get_args(kind)
    if type(None) in args:
        return None if value is None else _typed(args[0], value, where)
    if origin is Literal:
        if value not in args:
            allowed = ", ".join(map(repr, args))
            raise _Mismatch(f"{where}: {shown(value)} is not one of {allowed}")
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise _Mismatch(f"{where}: expected a list, found {shown(value)}")
        return tuple(_typed(args[0], entry, where) for entry in value)
    if origin is Mapping:
        if not isinstance(value, dict):
            raise _Mismatch(f"{where}: expected a mapping, found {shown(value)}")
        of_key, of_value = args
        return {_typed(of_key, k, where): _typed(of_value, v, where) for k, v in value.items()}
    if is_dataclass(kind):
        return _build(kind, value, where)  # type: ignore[arg-type]
    return _scalar(kind, value, where)


def _scalar(kind: Any, value: object, where: str) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    is_exact = kind is not int or isinstance(value, int)
    if kind in (Decimal, float, int) and number and is_exact:
        if not 0 <= float(str(value)) < float("inf"):
            raise _Mismatch(f"{where}: {value} is not a number of zero or more")
        return kind(str(value))
    if kind in (str, bool, datetime.date) and type(value) is kind:
        return value
    raise _Mismatch(f"{where}: expected {kind.__name__}, found {shown(value)}")
