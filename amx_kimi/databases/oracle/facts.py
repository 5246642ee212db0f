"""Types as in DDL, and values of the optimizer's statistics. Pure functions.

See Oracle Database Reference 19c and 23ai, ALL_TAB_COLS, ALL_TAB_COL_STATISTICS and
ALL_TAB_HISTOGRAMS; Oracle Call Interface, "Internal Data Types" (NUMBER, DATE). Written from
memory, and checked against published values of DUMP, not against these pages.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import Any

from amx_kimi.databases.base import MOST_VALUES
from amx_kimi.types import RawFacts

__all__ = ["decoded", "facts_of", "is_sampled", "sampled", "spelled"]

_TEXTS = {"VARCHAR2", "CHAR"}
_NATIONAL = {"NVARCHAR2", "NCHAR"}
_COUNTED = ("FREQUENCY", "TOP-FREQUENCY")
_VALUE_LENGTH = 300
_SAMPLED = {
    **dict.fromkeys((*_TEXTS, *_NATIONAL), "SUBSTR({column}, 1, {most})"),
    **dict.fromkeys(("CLOB", "NCLOB"), "TO_CHAR(SUBSTR({column}, 1, {most}))"),
    "RAW": "UTL_RAW.SUBSTR({column}, 1, LEAST(16, UTL_RAW.LENGTH({column})))",
    **dict.fromkeys(("NUMBER", "FLOAT", "DATE", "BINARY_FLOAT", "BINARY_DOUBLE"), "{column}"),
}
_TIMES = ("TIMESTAMP", "INTERVAL")


def spelled(row: Mapping[str, Any]) -> str:
    """A column's type as in DDL, from `type`, `type_owner`, `length` (bytes), `characters`, `used`
    (`C`: counted in characters), `precision` and `scale`."""
    name = str(row["type"])
    if row["type_owner"]:
        return f"{row['type_owner']}.{name}"
    if name in _TEXTS:
        counted = row["used"] == "C"
        return f"{name}({row['characters'] if counted else row['length']}{' CHAR' * counted})"
    if name in _NATIONAL:
        return f"{name}({row['characters']})"
    if name == "RAW":
        return f"RAW({row['length']})"
    if name == "FLOAT":
        return f"FLOAT({row['precision']})"
    if name == "NUMBER" and (row["precision"] is not None or row["scale"] is not None):
        scale = f",{row['scale']}" if row["scale"] else ""
        return f"NUMBER({38 if row['precision'] is None else row['precision']}{scale})"
    return name


def is_sampled(type_: str) -> bool:
    """Whether rows are read of columns of this type: not of LONG, LOBs of bytes, and objects."""
    return type_ in _SAMPLED or type_.startswith(_TIMES)


def sampled(column: str, type_: str) -> str:
    """An expression for a short value of a column (its quoted name) of this type."""
    template = _SAMPLED.get(type_, "TO_CHAR({column})")
    return template.format(column=column, most=_VALUE_LENGTH)


def facts_of(
    row: Mapping[str, Any], histogram: Sequence[Mapping[str, Any]], rows: int | None
) -> RawFacts:
    """Facts of a row of ALL_TAB_COL_STATISTICS (`type`, `distinct_values`, `nulls`, `low_value`,
    `high_value`, `histogram`) and, in order, the column's rows of ALL_TAB_HISTOGRAMS
    (`endpoint_number`, `endpoint_value`, `endpoint_actual_value`), of a table with about `rows`
    rows."""
    nulls = int(row["nulls"] or 0)
    values: list[tuple[str, int]] = []
    if row["histogram"] in _COUNTED and histogram:
        known = max((rows or 0) - nulls, 0)
        share = known / float(histogram[-1]["endpoint_number"] or 1)
        reached = 0
        for one in histogram:
            count = round((int(one["endpoint_number"]) - reached) * share)
            reached = int(one["endpoint_number"])
            value = _endpoint(one, str(row["type"]))
            if value is not None and count > 0:
                values.append((value, count))
    values.sort(key=lambda pair: -pair[1])
    return RawFacts(
        nulls=nulls,
        distinct=int(row["distinct_values"] or 0),
        least=decoded(row["low_value"], str(row["type"])),
        greatest=decoded(row["high_value"], str(row["type"])),
        values=tuple(values[:MOST_VALUES]),
    )


def decoded(raw: bytes | None, type_: str) -> str | None:
    """A value in Oracle's internal form as a text; None if it is unknown or not readable."""
    if not raw:
        return None
    decode = next((how for types, how in _DECODERS if type_.startswith(types)), None)
    if decode is not None:
        with suppress(ValueError, ArithmeticError, IndexError, struct.error):
            return decode(bytes(raw))
    return None


def _endpoint(row: Mapping[str, Any], type_: str) -> str | None:
    """A histogram's value; texts are told as such, and numbers as numbers."""
    if row["endpoint_actual_value"] is not None:
        return str(row["endpoint_actual_value"])
    if type_ in ("NUMBER", "FLOAT") and row["endpoint_value"] is not None:
        return _plain(Decimal(str(row["endpoint_value"])))
    return None


def _number(raw: bytes) -> str:
    """The first byte is the sign and the exponent of 100, the others are digits to the base 100; of
    negative numbers, all are complements, and 102 ends them."""
    if raw == b"\x80":
        return "0"
    first, rest = raw[0], raw[1:]
    if first & 0x80:
        sign, exponent, digits = "", first - 193, [byte - 1 for byte in rest]
    else:
        rest = rest.removesuffix(b"\x66")
        sign, exponent, digits = "-", 62 - first, [101 - byte for byte in rest]
    if not digits or not all(0 <= digit < 100 for digit in digits):
        raise ValueError("not a number")
    written = "".join(f"{digit:02}" for digit in digits)
    return _plain(Decimal(f"{sign}{written}E{2 * (exponent - len(digits) + 1)}"))


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _moment(raw: bytes) -> str:
    """Century and year plus 100, month, day, and hour, minute and second plus 1; of a TIMESTAMP,
    nanoseconds follow."""
    century, year, month, day, *time = raw[:7]
    hour, minute, second = (one - 1 for one in time)
    nanoseconds = int.from_bytes(raw[7:11], "big") if len(raw) >= 11 else 0
    whole = datetime((century - 100) * 100 + year - 100, month, day, hour, minute, second)
    return str(whole.replace(microsecond=nanoseconds // 1_000))


def _float(raw: bytes) -> str:
    """IEEE 754, with bits changed so that bytes sort as the numbers do."""
    plain = (
        bytes([raw[0] & 0x7F]) + raw[1:] if raw[0] & 0x80 else bytes(byte ^ 0xFF for byte in raw)
    )
    return str(struct.unpack(">f" if len(raw) == 4 else ">d", plain)[0])


_DECODERS: Sequence[tuple[tuple[str, ...], Callable[[bytes], str]]] = (
    (("NUMBER", "FLOAT"), _number),
    (("DATE", "TIMESTAMP"), _moment),
    (("BINARY_",), _float),
    (("NVARCHAR2", "NCHAR"), lambda raw: raw.decode("utf-16-be", "replace")),
    (("VARCHAR2", "CHAR"), lambda raw: raw.decode("utf-8", "replace")),
)
