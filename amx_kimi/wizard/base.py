"""Finds an API whose base URL was given without `/v1`: there, a web page or nothing answers."""

from dataclasses import dataclass
from urllib.parse import urlsplit

import anyio

from amx_kimi.client import KeyReport, check_key
from amx_kimi.config import Draft, FoundKey, draft_profile
from amx_kimi.errors import TransportError
from amx_kimi.settings import Settings

__all__ = ["Based", "look_for_api"]


@dataclass(frozen=True)
class Based:
    """A draft, and the result of checking the key at its API base."""

    draft: Draft
    report: KeyReport


def look_for_api(draft: Draft, found: FoundKey, settings: Settings) -> tuple[Based, Based | None]:
    """Check the draft, and if its base lists no models, the same base with `/v1` appended.

    Returns the draft as it is, and the draft with the longer base if that is an API (else None).
    The key goes to one host only.

    Raises:
        ConfigError: AMX_CA_BUNDLE is unusable.
    """
    given = _asked(draft, found, settings)
    profile = draft_profile(draft, settings)
    is_known = profile.endpoint.name != "any" or urlsplit(profile.base_url).path.endswith("/v1")
    if is_known or not _may_be_no_api(given.report):
        return given, None
    longer = _asked(draft.with_fields(api_base=f"{profile.base_url}/v1"), found, settings)
    is_api = longer.report.state == "refused" or bool(longer.report.models)
    return given, longer if is_api else None


def _asked(draft: Draft, found: FoundKey, settings: Settings) -> Based:
    report = anyio.run(check_key, draft_profile(draft, settings), found, settings)
    return Based(draft, report)


def _may_be_no_api(report: KeyReport) -> bool:
    """Whether a server answered, but neither listed models nor refused the key."""
    has_answered = not isinstance(report.error, TransportError)
    return has_answered and report.state != "refused" and not report.models
