"""Models, prices and tiers of the sandbox, read once from its own ``models.yml``."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from amx_kimi.sandbox.options import Options
from amx_kimi.sandbox.refusals import Refusal, not_found

GATEWAY_PREFIX = "moonshotai/"


@dataclass(frozen=True)
class Row:
    """One model: what it takes, what it gives and what it costs."""

    id: str
    context: int
    thinking: str
    thinking_types: tuple[str, ...] = ()
    temperature: float | None = None
    off_temperature: float | None = None
    efforts: tuple[str, ...] = ()
    default_effort: str = "low"
    max_tokens: int = 32_768
    tool_choice_required: bool = False
    reasoning: bool = False
    logprobs: str = "never"
    vision: bool = False
    price: tuple[Decimal, ...] = (Decimal(0),) * 3
    write: tuple[Decimal, ...] = ()
    retired: str = ""
    aliases: tuple[str, ...] = ()
    only: str = ""


@dataclass(frozen=True)
class Tier:
    """The limits of an account; None means none."""

    concurrency: int | None = None
    rpm: int | None = None
    tpm: int | None = None
    tpd: int | None = None


@dataclass(frozen=True)
class Facts:
    """Everything in ``models.yml``."""

    models: dict[str, Row]
    tiers: dict[int, Tier]
    tomorrow: dict[str, Any]
    cny_per_usd: float


def _row(name: str, data: dict[str, Any]) -> Row:
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in data.items()
    }
    for key in ("price", "write"):
        values[key] = tuple(Decimal(str(amount)) for amount in values.get(key, ()))
    values["price"] = values["price"] or Row.price
    values["retired"] = str(values.get("retired", ""))
    return Row(id=name, **values)


@cache
def facts() -> Facts:
    """The table, parsed."""
    text = (files(__package__) / "models.yml").read_text(encoding="utf-8")
    data = yaml.safe_load(text)
    return Facts(
        models={name: _row(name, row) for name, row in data["models"].items()},
        tiers={number: Tier(**tier) for number, tier in data["tiers"].items()},
        tomorrow=data["tomorrow"],
        cny_per_usd=data["cny_per_usd"],
    )


def limits(options: Options) -> Tier:
    """The tier's limits with the given numbers over them."""
    tier = Tier() if options.tier is None else facts().tiers[options.tier]
    return Tier(
        concurrency=tier.concurrency if options.concurrency is None else options.concurrency,
        rpm=tier.rpm if options.rpm is None else options.rpm,
        tpm=tier.tpm if options.tpm is None else options.tpm,
        tpd=tier.tpd if options.tpd is None else options.tpd,
    )


def served(options: Options, coding: bool) -> list[Row]:
    """The models that answer under this kind of path, in the table's order."""
    tomorrow = [_row(name, facts().tomorrow) for name in options.extra_models]
    rows = [row for row in facts().models.values() if _is_served(row, options, coding)]
    return rows + tomorrow


def _is_served(row: Row, options: Options, coding: bool) -> bool:
    if options.refuse_retired and row.retired:
        return False
    if options.models:
        return bool({row.id, *row.aliases} & set(options.models))
    return options.gateway or (row.only == "coding") == coding


def find(model: object, options: Options, coding: bool) -> Row:
    """The row of a model id or alias; the service's 404 when it isn't served here."""
    if not isinstance(model, str) or not model:
        raise Refusal(400, "invalid_request_error", "Invalid request: model is required")
    name = model.removeprefix(GATEWAY_PREFIX) if options.gateway else model
    if name in options.extra_models:
        return _row(name, facts().tomorrow)
    row = _by_name().get(name)
    if row is None or not _is_served(row, options, coding):
        raise not_found(model)
    return row


@cache
def _by_name() -> dict[str, Row]:
    return {name: row for row in facts().models.values() for name in (row.id, *row.aliases)}
