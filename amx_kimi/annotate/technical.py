"""The names of technical columns that mean the same everywhere, from `technical.yml`."""

from functools import cache
from importlib.resources import files

import yaml

__all__ = ["technical_names"]


@cache
def technical_names() -> frozenset[str]:
    """Their names in lower case, without underscores."""
    text = files("amx_kimi.annotate").joinpath("technical.yml").read_text("utf-8")
    kinds: dict[str, list[str]] = yaml.safe_load(text)
    return frozenset(name.replace("_", "") for names in kinds.values() for name in names)
