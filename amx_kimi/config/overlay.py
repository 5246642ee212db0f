"""`kimi.yml`: settings of profiles that AMX does not know, aliases, endpoints, masking rules."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from amx_kimi.addresses import is_private_host
from amx_kimi.conceal import shown
from amx_kimi.config.files import overlay_path, read_yaml
from amx_kimi.config.profile import Masking, Overlay, Profile
from amx_kimi.errors import ConfigError, ConfigFileError
from amx_kimi.facts import EndpointRow, load_catalog, match_endpoint
from amx_kimi.typed import build

__all__ = [
    "OverlayFile",
    "check_url",
    "load_overlay",
    "parse_overlay",
    "raw_overlay",
    "with_limits",
]

_SECTIONS = ("profiles", "aliases", "endpoints", "masking")


@dataclass(frozen=True)
class OverlayFile:
    """All of `kimi.yml`."""

    profiles: Mapping[str, Overlay] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    endpoints: Mapping[str, EndpointRow] = field(default_factory=dict)
    masking: Masking = Masking()

    def endpoint(self, name: str, api_base: str | None) -> EndpointRow:
        """The endpoint of a profile: by `name`, else by `api_base`, else Moonshot's global one.

        Raises:
            ConfigError: no endpoint has that name, it speaks another protocol, or its URL is bad.
        """
        row = self._named(name) if name else self._at(api_base)
        if row.protocol != "openai":
            other = f"the endpoint {row.openai_sibling!r}" if row.openai_sibling else "another one"
            raise ConfigError(
                f"The endpoint {row.url} uses the {row.protocol} protocol, which amx-kimi does not "
                "support",
                remedy=f"Use {other} instead, which uses OpenAI's.",
            )
        return replace(row, url=check_url(row.url))

    def instead_of(self, row: EndpointRow) -> EndpointRow:
        """An endpoint of the facts, or its replacement in `kimi.yml`, such as a gateway."""
        return self.endpoints.get(row.name, row)

    def usual_for(self, model: str) -> EndpointRow:
        """The default endpoint of a model: the one in its row; OpenRouter for an id with the
        maker's prefix; else Moonshot's global endpoint."""
        catalog = load_catalog()
        gateway = model.startswith("moonshotai/")
        names = ["openrouter"] if gateway else catalog.model(model).endpoints
        return self._named(next(iter(names), "moonshot-ai"))

    def _named(self, name: str) -> EndpointRow:
        row = self.endpoints.get(name) or load_catalog().endpoint(name)
        if row is None or not row.url:
            known = [*self.endpoints, *(r.name for r in load_catalog().endpoints if r.url)]
            near = difflib.get_close_matches(name, known, 1)
            hint = f"Did you mean {near[0]!r}? " if near else ""
            names = ", ".join(known)
            raise ConfigError(f"Unknown endpoint {shown(name)}", remedy=f"{hint}Known: {names}.")
        return row

    def _at(self, api_base: str | None) -> EndpointRow:
        if not api_base:
            return self._named("moonshot-ai")
        url = api_base.strip().rstrip("/").removesuffix("/chat/completions").rstrip("/")
        for row in self.endpoints.values():
            if row.url == url:
                return row
        return match_endpoint(load_catalog(), check_url(url))


def load_overlay(folder: Path) -> OverlayFile:
    """`kimi.yml` in `folder`; empty if there is none.

    Raises:
        ConfigFileError: names file, place and what is allowed.
    """
    path = overlay_path(folder)
    return parse_overlay(read_yaml(path), str(path))


def raw_overlay(folder: Path, name: str) -> dict[str, Any]:
    """The unparsed entry of one profile in `kimi.yml`; the whole file is checked.

    Raises:
        ConfigFileError: names file, place and what is allowed.
    """
    path = overlay_path(folder)
    document = read_yaml(path)
    parse_overlay(document, str(path))
    return dict(_section(document, "profiles", str(path)).get(name) or {})


def parse_overlay(document: Mapping[str, Any], where: str) -> OverlayFile:
    """`kimi.yml`'s content, checked.

    Raises:
        ConfigFileError: names the place and what is allowed.
    """
    if unknown := sorted(set(map(str, document)) - set(_SECTIONS)):
        known = ", ".join(_SECTIONS)
        raise ConfigFileError(f"{where}: unknown key {shown(unknown[0])} (known: {known})")
    return OverlayFile(
        profiles={
            name: _overlay(entry, f"{where}, profile {name!r}")
            for name, entry in _section(document, "profiles", where).items()
        },
        aliases={name: str(model) for name, model in _section(document, "aliases", where).items()},
        endpoints={
            name: _endpoint(name, entry, f"{where}, endpoint {name!r}")
            for name, entry in _section(document, "endpoints", where).items()
        },
        masking=_masking(document.get("masking"), f"{where}, masking"),
    )


def check_url(url: str) -> str:
    """`url` without a trailing slash, if a key may be sent to it.

    Raises:
        ConfigError: not http(s), no host, credentials in it, or plain http to a public address.
    """
    example = "Example: https://api.moonshot.ai/v1."
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        said = f"The API base {shown(url)} is not a URL: {error}"
        raise ConfigError(said, remedy=example) from None
    strange = any(letter.isspace() or not letter.isprintable() for letter in url.strip())
    if parts.scheme not in ("http", "https") or not host or strange:
        raise ConfigError(
            f"The API base {shown(url)} is not an http(s) URL with a host", remedy=example
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(
            f"The API base at {host} contains credentials, a query or a fragment", remedy=example
        )
    if parts.scheme == "http" and not is_private_host(host):
        raise ConfigError(
            f"The API base {shown(url)} would send the key unencrypted over a public network",
            remedy="Use https. Plain http is allowed only to loopback and private addresses.",
        )
    return url.strip().rstrip("/")


def _overlay(entry: Any, where: str) -> Overlay:
    overlay = build(Overlay, _words_of(entry), where, ConfigFileError)
    if overlay.tier is not None:
        _check_tier(overlay.tier, where, ConfigFileError)
    for key in ("max_retry_tokens", "concurrency", "rpm", "tpm"):
        if getattr(overlay, key) == 0:
            raise ConfigFileError(f"{where}: {key} must be above zero")
    return overlay


def with_limits(profile: Profile, given: Mapping[str, Any]) -> Profile:
    """The profile with limits that replace those of `kimi.yml`: tier, concurrency, rpm, tpm.

    Raises:
        ConfigError: there is no such tier.
    """
    if "tier" in given:
        _check_tier(given["tier"], "--tier", ConfigError)
    return replace(profile, overlay=replace(profile.overlay, **given)) if given else profile


def _check_tier(tier: int, where: str, error: type[ConfigError]) -> None:
    if tier not in {row.tier for row in load_catalog().tiers}:
        raise error(
            f"{where}: there is no tier {tier}",
            remedy=f"Known: {', '.join(str(row.tier) for row in load_catalog().tiers)}.",
        )


def _masking(entry: Any, where: str) -> Masking:
    if isinstance(entry, Mapping) and isinstance(countries := entry.get("countries"), list):
        # YAML 1.1 reads Norway's `no` as false.
        words = ["no" if code is False else code for code in countries]
        codes = [word.lower() if isinstance(word, str) else word for word in words]
        entry = {**entry, "countries": codes}
    masking = build(Masking, {} if entry is None else entry, where, ConfigFileError)
    for code in masking.countries:
        if len(code) != 2 or not code.isascii() or not code.isalpha():
            raise ConfigFileError(
                f"{where}: {shown(code)} is not a two-letter country code, such as de"
            )
    return masking


def _words_of(entry: Any) -> Any:
    """The entry, with `effort` as a word: YAML 1.1 reads a bare `off` as false."""
    if isinstance(entry, Mapping) and entry.get("effort") is False:
        return {**entry, "effort": "none"}
    return {} if entry is None else entry


def _endpoint(name: str, entry: Any, where: str) -> EndpointRow:
    known = load_catalog().endpoint(name)
    base = {} if known is None else dict(vars(known))
    base.pop("name", None)
    if not isinstance(entry, Mapping):
        raise ConfigFileError(f"{where}: expected a mapping of columns, found {shown(entry)}")
    row = build(EndpointRow, {"url": "", **base, "name": name, **entry}, where, ConfigFileError)
    if not row.url:
        raise ConfigFileError(f"{where}: the key 'url' is missing")
    return replace(row, url=check_url(row.url))


def _section(document: Mapping[str, Any], key: str, where: str) -> dict[str, Any]:
    section = document.get(key) or {}
    if not isinstance(section, Mapping):
        raise ConfigFileError(f"{where}: {key} must be a mapping, found {shown(section)}")
    return {str(name): entry for name, entry in section.items()}
