"""Databases that are neither read nor written yet: their comments are written to a SQL file."""

from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from amx_kimi.databases.dialect import Dialect

__all__ = ["dialect"]


@cache
def dialect(kind: str) -> Dialect:
    """The row of `sql_only.yml` for this kind."""
    text = files("amx_kimi.databases").joinpath("sql_only.yml").read_text("utf-8")
    row: dict[str, Any] = yaml.safe_load(text)[kind]
    return Dialect(kind, **{**row, "head": tuple(row.get("head", ()))})
