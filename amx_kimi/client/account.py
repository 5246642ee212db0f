"""The account that is asked: its limits, and what it is called in files."""

import hashlib
from collections.abc import Mapping

from amx_kimi.client.limiter import Limits
from amx_kimi.config import FoundKey, Profile
from amx_kimi.facts import load_catalog

__all__ = ["account_limits", "account_name"]


def account_limits(profile: Profile, learned: Mapping[str, int] | None = None) -> Limits:
    """The account's limits: as kimi.yml states them, else as the service stated them, else a
    tier's preset, of which the number of requests at once is a hint only."""
    overlay, known = profile.overlay, learned or {}
    tier = next((row for row in load_catalog().tiers if row.tier == overlay.tier), None)
    return Limits(
        concurrency=overlay.concurrency or known.get("concurrency"),
        rpm=overlay.rpm or known.get("rpm") or (tier.rpm if tier else None),
        tpm=overlay.tpm or known.get("tpm") or (tier.tpm if tier else None),
        tpd=tier.tpd if tier else None,
        hint=tier.concurrency if tier and not overlay.concurrency else None,
    )


def account_name(profile: Profile, key: FoundKey) -> str:
    """An account by what can be told of it: the endpoint, and a hash of the key."""
    secret = key.secret.reveal() if key.secret else ""
    return f"{profile.base_url} {hashlib.sha256(secret.encode()).hexdigest()[:16]}"
