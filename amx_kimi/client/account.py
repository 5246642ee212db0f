"""The account that a client uses: its limits, and its name in files."""

import hashlib
from collections.abc import Mapping

from amx_kimi.client.limiter import Limits
from amx_kimi.config import FoundKey, Profile
from amx_kimi.facts import load_catalog

__all__ = ["account_limits", "account_name"]


def account_limits(profile: Profile, learned: Mapping[str, int] | None = None) -> Limits:
    """The account's limits.

    Limits from kimi.yml or flags are never exceeded. Without them, those that the service stated
    apply, else a tier's preset. If the user states a tier, its preset replaces learned values of
    RPM and TPM, because accounts move to higher tiers, and the service corrects a wrong one. A
    concurrency that was discovered, or that a tier has, is only the starting point.
    """
    overlay, known = profile.overlay, learned or {}
    tier = next((row for row in load_catalog().tiers if row.tier == overlay.tier), None)
    return Limits(
        concurrency=overlay.concurrency,
        rpm=_least(overlay.rpm, tier.rpm if tier else known.get("rpm")),
        tpm=_least(overlay.tpm, tier.tpm if tier else known.get("tpm")),
        tpd=tier.tpd if tier else None,
        hint=_least(known.get("concurrency"), overlay.concurrency)
        if "concurrency" in known
        else (tier.concurrency if tier and not overlay.concurrency else None),
    )


def _least(*figures: int | None) -> int | None:
    return min((figure for figure in figures if figure is not None), default=None)


def account_name(profile: Profile, key: FoundKey) -> str:
    """The name of an account: the endpoint, and a hash of the key."""
    secret = key.secret.reveal() if key.secret else ""
    digest = hashlib.sha256(secret.encode()).hexdigest()[:16]
    return f"{profile.base_url} {digest}"
