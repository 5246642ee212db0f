"""What is known of models, endpoints and tiers: data files, and `resolve`, which merges them.

- `models.yml`, `endpoints.yml`, `tiers.yml`: a row each, with source and date
- `rows`: their types, validated at load
- `resolve(model, endpoint, learned) -> Facts`: one model at one endpoint, with what the endpoint
  itself taught us (`Quirk`) on top
"""

from amx_kimi.facts.catalog import (
    Catalog,
    load_catalog,
    match_endpoint,
    model_key,
    parse_catalog,
)
from amx_kimi.facts.resolve import Facts, Quirk, cost, resolve
from amx_kimi.facts.rows import EffortRow, EndpointRow, ModelRow, Prices, TierRow

__all__ = [
    "Catalog",
    "EffortRow",
    "EndpointRow",
    "Facts",
    "ModelRow",
    "Prices",
    "Quirk",
    "TierRow",
    "cost",
    "load_catalog",
    "match_endpoint",
    "model_key",
    "parse_catalog",
    "resolve",
]
