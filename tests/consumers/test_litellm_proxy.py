"""The LiteLLM Proxy with the YAML of docs/litellm.md."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import KEY
from tests.consumers.environments import ROOT, environment_with
from tests.consumers.serving import free_port, serving

MASTER = "sk-proxy-0123456789abcdefghijkl-ABCDEFGH"
BODY = {"model": "kimi", "messages": [{"role": "user", "content": "Reply with OK."}]}


@pytest.fixture
def proxy(tmp_path: Path, start_sandbox) -> Iterator[str]:
    """The proxy's base URL; it asks the sandbox."""
    sandbox = start_sandbox(keys=(KEY,))
    text = (ROOT / "docs/litellm.md").read_text("utf-8")
    (block,) = re.findall(r"((?:    .*\n|\n)*    model_list:\n(?:    .*\n|\n)*)", text)
    config = tmp_path / "config.yaml"
    config.write_text(block.replace("https://api.moonshot.ai/v1", sandbox.url))
    python = environment_with("litellm-proxy", "litellm[proxy]")
    port = free_port()
    command = [
        *(str(python.with_name("litellm")), "--config", str(config)),
        *("--host", "127.0.0.1", "--port", str(port)),
    ]
    url = f"http://127.0.0.1:{port}"
    environment = {"KIMI_API_KEY": KEY, "LITELLM_MASTER_KEY": MASTER}
    environment["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    with serving(command, f"{url}/health/liveliness", tmp_path, environment):
        yield url


@pytest.mark.slow  # its environment alone takes minutes
def test_the_documented_proxy(proxy: str) -> None:
    with httpx.Client(base_url=proxy, headers={"Authorization": f"Bearer {MASTER}"}) as client:
        answer = client.post("/v1/chat/completions", json=BODY, timeout=30).json()
        assert answer["choices"][0]["message"]["content"] == "OK"
        assert answer["usage"]["total_tokens"] > 0
        streamed = client.post("/v1/chat/completions", json={**BODY, "stream": True}, timeout=30)
        assert '"content":"OK"' in streamed.text
        assert streamed.text.rstrip().endswith("data: [DONE]")
