"""What is known about models, endpoints and tiers: data files, and `resolve`, which merges them.

- `models.yml`, `endpoints.yml`, `tiers.yml`: a row each, with source and date; `rows`: their types;
  `catalog`: reading them
- `refusals.yml`, `thoughts.yml`: how servers speak; `tables`: their types; `key_makers.yml`: what
  keys look like
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
from amx_kimi.facts.resolve import HABITS, Facts, Quirk, cost, resolve
from amx_kimi.facts.rows import EffortRow, EndpointRow, ModelRow, Prices, TierRow
from amx_kimi.facts.tables import load_refusals, load_thoughts

__all__ = [
    "HABITS",
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
    "load_refusals",
    "load_thoughts",
    "match_endpoint",
    "model_key",
    "parse_catalog",
    "resolve",
]
