"""The request body of every model row at the endpoints where it can be used: one case table.

`tests/test_policy.py` compares them exactly with `bodies.json`, a case a line. After a wanted
change of facts or policy, write that file anew, and read its diff before committing it:

    python tests/snapshots/update.py
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from amx_kimi.config import Profile
from amx_kimi.facts import EndpointRow, ModelRow, load_catalog, match_endpoint
from amx_kimi.policy import plan
from amx_kimi.settings import Settings
from amx_kimi.types import Ask

PATH = Path(__file__).with_name("bodies.json")

ASK = Ask(
    [{"role": "system", "content": "Describe."}, {"role": "user", "content": "{}"}],
    prompt_tokens=1_000,
    json_mode=True,
    cache_key="run-1",
)


def cases() -> Iterator[tuple[ModelRow, EndpointRow]]:
    """Every row of models.yml, with each endpoint of the table that can serve it."""
    catalog = load_catalog()
    rows = {row.name: row for row in catalog.endpoints}
    rows["any"] = match_endpoint(catalog, "http://127.0.0.1:8000/v1")
    for model in catalog.models:
        for name in model.endpoints or ("moonshot-ai", "openrouter", "any"):
            if name != "kimi-coding-global":  # the same as kimi-coding but for its address
                yield model, rows[name]


def bodies() -> dict[str, Any]:
    """The body of each case, with AMX's profile defaults and an empty environment."""
    return {f"{model.id} @ {endpoint.name}": _body(model, endpoint) for model, endpoint in cases()}


def _body(model: ModelRow, endpoint: EndpointRow) -> dict[str, Any]:
    profile = Profile(name="p", endpoint=endpoint, model=model.id)
    return plan(profile, profile.facts(), Settings(), ASK).body


def text() -> str:
    """The snapshot file's text."""
    lines = [f"{json.dumps(case)}: {json.dumps(body)}" for case, body in bodies().items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    PATH.write_text(text(), "utf-8")
