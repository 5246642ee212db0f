"""The LiteLLM Proxy's routes to Kimi, each in front of the sandbox; and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from amx_kimi.sandbox import Options, Sandbox
from tests.conftest import KEY
from tests.consumers.environments import environment_with
from tests.consumers.servers.conftest import COLUMNS, Run, assert_ended_well
from tests.consumers.serving import free_port, serving

pytestmark = pytest.mark.slow

MASTER = "sk-proxy-0123456789abcdefghijkl-ABCDEFGH"
ROUTES = ("moonshot", "openai", "hosted_vllm")
_PRICE = {"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """What all routes lead to."""
    with Sandbox(Options(keys=(KEY,))) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def proxy(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The proxy's base URL."""
    deployments = [
        *(_deployment(f"kimi-by-{route}", sandbox.url, route) for route in ROUTES),
        _deployment("kimi-with-a-wrong-key", sandbox.url, api_key="sk-wrong-0123456789abcdef"),
        _deployment("kimi-spent", sandbox.url, max_budget=1e-9, budget_duration="30d", **_PRICE),
    ]
    document = {"model_list": deployments, "general_settings": {"master_key": MASTER}}
    folder = tmp_path_factory.mktemp("proxy")
    (folder / "config.yaml").write_text(yaml.safe_dump(document))
    program = environment_with("litellm-proxy", "litellm[proxy]").with_name("litellm")
    port = free_port()
    command = [str(program), "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    environment = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    with serving(command, f"{url}/health/liveliness", folder, environment):
        yield f"{url}/v1"


def _deployment(name: str, api_base: str, route: str = "openai", **more: Any) -> dict[str, Any]:
    parameters = {"model": f"{route}/kimi-k2.6", "api_base": api_base, "api_key": KEY, **more}
    return {"model_name": name, "litellm_params": parameters}


@pytest.mark.parametrize("route", ROUTES)
def test_a_route_to_kimi(proxy: str, sandbox: Sandbox, run: Run, route: str) -> None:
    sandbox.reset()
    outcome = run(proxy, key=MASTER, model=f"kimi-by-{route}")
    assert outcome.code == 0, outcome.told
    assert outcome.figures["described"] == COLUMNS
    assert outcome.figures["requests"] == sandbox.totals.requests
    assert outcome.figures["tokens"]["prompt"] == sandbox.totals.prompt_tokens
    assert outcome.figures["tokens"]["completion"] == sandbox.totals.completion_tokens


def test_a_key_that_the_proxy_refuses(proxy: str, sandbox: Sandbox, run: Run) -> None:
    """Without a database it knows one key, and says of any other that it has none."""
    sandbox.reset()
    assert_ended_well(run(proxy, key="sk-other-0123456789abcdef", model="x"), most_requests=3)
    assert not sandbox.chats


def test_a_key_that_the_service_refuses(proxy: str, run: Run) -> None:
    outcome = run(proxy, key=MASTER, model="kimi-with-a-wrong-key")
    assert_ended_well(outcome, most_requests=3)
    assert "401" in outcome.told


def test_a_budget_that_is_spent(proxy: str, sandbox: Sandbox, run: Run) -> None:
    """The first request spends it; the proxy says so with status 429, which is no rate limit."""
    sandbox.reset()
    assert run(proxy, key=MASTER, model="kimi-spent").figures["described"] == COLUMNS
    outcome = run(proxy, "--all", "--language=de", key=MASTER, model="kimi-spent")
    assert outcome.code in (1, 2, 3), outcome.told
    assert outcome.figures["requests"] <= 3, outcome.told
    assert outcome.figures["described"] == 0
    assert "budget" in outcome.told.lower()


def test_a_model_that_it_does_not_have(proxy: str, run: Run) -> None:
    outcome = run(proxy, key=MASTER, model="kimi-not-there")
    assert_ended_well(outcome, most_requests=3)
    assert "kimi-not-there" in outcome.told
