"""A profile: AMX's fields from `config.yml`, amx-kimi's from `kimi.yml`, and its endpoint."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from amx_kimi.conceal import shown
from amx_kimi.errors import ConfigFileError
from amx_kimi.facts import EndpointRow, Facts, Prices, Quirk, resolve
from amx_kimi.settings import Effort

__all__ = ["AMX_DEFAULTS", "Masking", "Overlay", "Profile", "amx_fields"]

AMX_DEFAULTS: Mapping[str, Any] = {
    "provider": "",
    "model": "",
    "language": "english",
    "api_key": "",
    "api_base": None,
    "temperature": 0.2,
    "max_tokens": 16384,
    "completion_mode": "chat_completions",
    "n_alternatives": 3,
    "column_batch_size": 10,
    "batch_context_column_names": 0,
    "prompt_detail": "standard",
    "description_verbosity": "brief",
    "logprob_high": 0.85,
    "logprob_medium": 0.5,
    "force_logprobs": True,
    "thinking_budget": 1024,
    "custom_input_cost_per_mtok": None,
    "custom_output_cost_per_mtok": None,
    "rag_query_timeout_sec": 5.0,
    "confidence_signal": "self_consistency",
    "alternatives_mode": "semantic",
    "confidence": {"enabled": True, "bands": {"high": 0.75, "med": 0.5}},
}
"""AMX 0.19's profile fields. AMX writes all of them at every save, so a value that equals its
default says nothing about what the user wants."""


@dataclass(frozen=True)
class Overlay:
    """The settings of one profile in `kimi.yml`.

    - `auth: none`: the endpoint needs no key
    - `batch: fixed`: AMX's `column_batch_size` is used
    - `thinking`: whether to think, if the model's thinking is optional
    - `max_retry_tokens`: raises the cap of the retry on `length`
    - `concurrency`, `rpm`, `tpm`: the account's limits; `tier`: a preset of them
    """

    endpoint: str = ""
    api_key_ref: str = ""
    auth: Literal["", "key", "none"] = ""
    batch: Literal["auto", "fixed"] = "auto"
    thinking: bool | None = None
    effort: Effort | None = None
    max_retry_tokens: int | None = None
    tier: int | None = None
    concurrency: int | None = None
    rpm: int | None = None
    tpm: int | None = None


@dataclass(frozen=True)
class Masking:
    """`kimi.yml`'s rules for values, as globs over `schema.table.column` and `table.column`.

    - `never`: no values of these columns are sent, not even their shapes
    - `always`: all values of these columns are sent, except those with a personal format
    - `countries`: ISO 3166 codes of the countries whose phone and national ID numbers are detected
    """

    never: tuple[str, ...] = ()
    always: tuple[str, ...] = ()
    countries: tuple[str, ...] = (
        *("at", "be", "ch", "cz", "de", "dk", "es", "fi", "fr", "gb", "ie", "it", "nl", "no"),
        *("pl", "pt", "se", "tr", "us"),
    )


@dataclass(frozen=True)
class Profile:
    """A named LLM configuration. AMX's fields keep AMX's names, types and defaults.

    `keyless` says why the files have no key for it: it is a caller's own, without files, or at
    another endpoint than the file's.
    """

    name: str
    endpoint: EndpointRow
    provider: str = "kimi"
    model: str = ""
    api_key: str = field(default="", repr=False)
    api_base: str | None = None
    language: str = "english"
    temperature: float = 0.2
    max_tokens: int = 16384
    n_alternatives: int = 3
    column_batch_size: int = 10
    description_verbosity: str = "brief"
    logprob_high: float = 0.85
    logprob_medium: float = 0.5
    force_logprobs: bool = True
    custom_input_cost_per_mtok: float | None = None
    custom_output_cost_per_mtok: float | None = None
    overlay: Overlay = Overlay()
    keyless: str = ""
    masking: Masking = Masking()

    def __getstate__(self) -> dict[str, Any]:
        if self.api_key and not self.api_key.startswith("keyring:"):
            raise TypeError("a profile with a key in plain text cannot be pickled")
        return self.__dict__

    @property
    def base_url(self) -> str:
        """The endpoint's base URL, without a trailing slash."""
        return self.endpoint.url

    def facts(self, learned: tuple[Quirk, ...] = ()) -> Facts:
        """The facts of this profile's model at its endpoint, at the profile's own prices if any."""
        return resolve(self.model, self.endpoint, learned, prices=self.own_prices)

    @property
    def own_prices(self) -> Prices | None:
        """The profile's own prices, when both are given."""
        # AMX uses both or neither: with only one, the other price would count as zero.
        if self.custom_input_cost_per_mtok is None or self.custom_output_cost_per_mtok is None:
            return None
        miss = Decimal(str(self.custom_input_cost_per_mtok))
        return Prices(miss, miss, Decimal(str(self.custom_output_cost_per_mtok)))


_OURS = {f.name for f in fields(Profile)} & set(AMX_DEFAULTS)


def amx_fields(values: object, name: str, path: Path) -> dict[str, Any]:
    """The fields of one entry of `llm_profiles` that `Profile` has, coerced as AMX coerces them.

    Raises:
        ConfigFileError: the entry is not a mapping, or a value has a wrong type or range; names it.
    """
    where = f"{path}, profile {name!r}"
    if not isinstance(values, Mapping):
        raise ConfigFileError(f"{where}: expected a mapping of fields, found {shown(values)}")
    return {
        key: _coerce(key, values[key], where)
        for key in AMX_DEFAULTS
        if key in values and key in _OURS
    }


def _coerce(key: str, value: Any, where: str) -> Any:
    default = AMX_DEFAULTS[key]
    if key.startswith("custom_"):
        return None if value in (None, "") else _number(float, key, value, where, 0.0)
    if key == "api_base":
        return str(value).strip() or None if value is not None else None
    if isinstance(default, bool):
        return bool(value)
    if key == "n_alternatives":
        return max(1, min(5, _number(int, key, value, where, float("-inf"))))
    if isinstance(default, int):
        return _number(int, key, value, where, 1)
    if isinstance(default, float):
        return _number(float, key, value, where, 0.0)
    if key == "language":
        return str(value or "").strip() or default
    return "" if value is None else str(value).strip()


def _number(kind: Callable[[Any], Any], key: str, value: Any, where: str, least: float) -> Any:
    try:
        number = kind(value)
    except (TypeError, ValueError, OverflowError):
        number = None
    expected = f" from {least:g}" if least >= 0 else ""
    if number is None or isinstance(value, bool) or not least <= number < float("inf"):
        raise ConfigFileError(
            f"{where}: {key} is {value!r:.40}, expected a number{expected}",
            remedy=f"AMX's default is {AMX_DEFAULTS[key]}.",
        )
    return number
