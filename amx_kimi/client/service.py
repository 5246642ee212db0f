"""Where an API answers: its connections, its list of models, its balance.

Many people give an address without the `/v1` of the API. If no API answers there, it is searched
under `/v1`, once.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from decimal import Decimal
from typing import Any

import anyio
import httpx

from amx_kimi.client.http import Connections, versioned
from amx_kimi.client.wire import get_json
from amx_kimi.conceal import conceal_key
from amx_kimi.config import FoundKey, Profile
from amx_kimi.errors import (
    AuthenticationError,
    KimiError,
    NotAnApiError,
    SilenceError,
    UnreachableError,
)
from amx_kimi.facts import Facts
from amx_kimi.settings import Settings

__all__ = ["Service"]

_NO_KEY = "No API key was given. Pass one as api_key, or export it as AMX_LLM_API_KEY."
_MOST_BALANCE = 1_000_000_000_000  # whatever is more is no money


class Service:
    """The connections to a profile's endpoint, with its key.

    `base_url` is where the API answers: the profile's own, or below it. `moved` is called with a
    new one.

    Raises:
        ConfigError: the address or a proxy is unusable.
    """

    def __init__(self, profile: Profile, key: FoundKey, settings: Settings, facts: Facts) -> None:
        self._profile, self._key, self._settings = profile, key, settings
        self._looking = anyio.Lock()
        self.moved: Callable[[str], None] = lambda _: None
        self.base_url = profile.base_url
        api, below = facts.quirks.get("api_base"), versioned(profile.base_url)
        if api and below and api.value == below:  # the key goes nowhere else
            self.base_url = below
        self._connections = self._connect(self.base_url)

    def take(self) -> AbstractContextManager[httpx.AsyncClient]:
        """As `Connections.take`."""
        return self._connections.take()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connections.aclose()

    async def models(self, facts: Facts, *, here_only: bool = False) -> list[dict[str, Any]]:
        """The endpoint's list of models (`GET /models`); `here_only` does not try `/v1`.

        Raises:
            KimiError: unreachable, refused, or not a list.
        """
        if here_only and self.base_url != self._profile.base_url:  # as it was learned
            await self._connections.aclose()
            self.base_url = self._profile.base_url
            self._connections = self._connect(self.base_url)
        base = self.base_url
        try:
            document = await self._get_models(facts)
        except NotAnApiError as error:
            if here_only:
                raise
            await self.look_under_v1(error, base, facts)
            document = await self._get_models(facts)
        data = document.get("data") if isinstance(document, dict) else None
        return [row for row in data or [] if isinstance(row, dict)]

    async def look_under_v1(self, error: NotAnApiError, asked: str, facts: Facts) -> None:
        """Continue under `/v1` of the address that was `asked`, if an API answers there; else raise
        `error`, with what was found there."""
        async with self._looking:
            if self.base_url == asked:
                await self._move_under_v1(error, facts)

    async def balance(self, facts: Facts) -> Decimal | None:
        """The account's balance, in the endpoint's currency; None if the endpoint does not say."""
        with suppress(KimiError, LookupError, TypeError, ArithmeticError), self.take() as http:
            document = await get_json(http, "users/me/balance", facts=facts)
            left = Decimal(str(document["data"]["available_balance"]))
            return left if left.is_finite() and abs(left) < _MOST_BALANCE else None
        return None

    def without_key(self, error: KimiError) -> KimiError:
        """Mask our key, which a service may repeat in its message; or say that there was none."""
        if self._key.secret:
            error.message = conceal_key(error.message, self._key.secret)
            error.remedy = conceal_key(error.remedy, self._key.secret)
        elif isinstance(error, AuthenticationError) and self._profile.endpoint.auth != "none":
            error.remedy = _NO_KEY
        return error

    async def _move_under_v1(self, error: NotAnApiError, facts: Facts) -> None:
        base = versioned(self.base_url)
        if base is None:
            raise error
        before, self._connections = self._connections, self._connect(base)
        try:
            await self._get_models(facts)
        except (NotAnApiError, UnreachableError, SilenceError) as found:
            after, self._connections = self._connections, before
            await after.aclose()
            what = f"HTTP {found.status}" if isinstance(found, NotAnApiError) else "no answer"
            error.message += f"; there is no API at {base} either ({what})"
            raise error from None
        except KimiError:  # a refusal is an API's, too
            pass
        await before.aclose()
        self.base_url = base
        self.moved(base)

    async def _get_models(self, facts: Facts) -> Any:
        try:
            with self.take() as http:
                return await get_json(http, "models", facts=facts)
        except KimiError as error:
            raise self.without_key(error) from None

    def _connect(self, base_url: str) -> Connections:
        return Connections(base_url, self._key.secret, self._settings)
