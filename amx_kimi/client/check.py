"""Checks whether a key works at an endpoint, by its list of models and the account's balance."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from amx_kimi.client.kimi import KimiClient
from amx_kimi.config import FoundKey, Profile
from amx_kimi.errors import AccessError, AuthenticationError, KimiError, ServiceError
from amx_kimi.facts import EndpointRow, model_key
from amx_kimi.settings import Settings
from amx_kimi.text import counted

__all__ = ["KeyReport", "check_key"]

_SECONDS = 15.0


@dataclass(frozen=True)
class KeyReport:
    """The result of a check.

    `state` is `ok`, `refused` (the key or its rights), `unlisted` (there is no list of models, so
    the key is neither proved nor refused) or `unreachable`. `error` is the endpoint's refusal.
    """

    state: Literal["ok", "refused", "unlisted", "unreachable"]
    models: Sequence[str] = ()
    balance: Decimal | None = None
    error: KimiError | None = None

    def lists(self, model: str) -> bool:
        """Whether the model is in the list, or there is no list."""
        return not self.models or model_key(model) in {model_key(m) for m in self.models}

    def in_words(self, endpoint: EndpointRow) -> str:
        """One line for people."""
        if self.state != "ok":
            return self.error.message if self.error else self.state
        if not self.models:
            return "it lists no models"
        # A gateway may use any currency, and the answer does not name it.
        currency = ("" if endpoint.list_prices else endpoint.currency) or "(unknown currency)"
        left = ""
        if self.balance is not None:
            left = f", balance {self.balance:,.2f} {currency}"
        return f"{counted(len(self.models), 'model')}{left}"


async def check_key(profile: Profile, key: FoundKey, settings: Settings) -> KeyReport:
    """Ask the profile's endpoint for its models with this key. Nothing else is sent.

    Raises:
        ConfigError: AMX_CA_BUNDLE is unusable.
    """
    quick = replace(settings, silence_seconds=min(settings.silence_seconds, _SECONDS))
    async with KimiClient(profile, quick, key=key) as client:
        try:
            models = [str(row.get("id")) for row in await client.models(here_only=True)]
        except (AuthenticationError, AccessError) as error:
            return KeyReport("refused", error=error)
        except ServiceError as error:
            return KeyReport("unlisted", error=error)
        except KimiError as error:
            return KeyReport("unreachable", error=error)
        return KeyReport("ok", models, await client.balance())
