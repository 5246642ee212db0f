"""The LiteLLM Proxy with the YAML of docs/litellm.md."""

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import KEY
from tests.consumers.environments import ROOT, environment_with

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
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (tmp_path / "log").open("w")
    with subprocess.Popen(
        [
            *(str(python.with_name("litellm")), "--config", str(config)),
            *("--host", "127.0.0.1", "--port", str(port)),
        ],
        env={**os.environ, "KIMI_API_KEY": KEY, "LITELLM_MASTER_KEY": MASTER}
        | {"LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        stdout=log,
        stderr=log,
        cwd=tmp_path,
    ) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            _wait(process, url, tmp_path / "log")
            yield url
        finally:
            process.terminate()
            log.close()


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    transport = httpx.HTTPTransport(retries=5)
    with httpx.Client(transport=transport, timeout=5) as client:
        while process.poll() is None:
            try:
                if client.get(f"{url}/health/liveliness").status_code == 200:
                    return
            except httpx.TransportError:
                continue
    raise AssertionError(log.read_text())


def test_the_documented_proxy(proxy: str) -> None:
    with httpx.Client(base_url=proxy, headers={"Authorization": f"Bearer {MASTER}"}) as client:
        answer = client.post("/v1/chat/completions", json=BODY, timeout=30).json()
        assert answer["choices"][0]["message"]["content"] == "OK"
        assert answer["usage"]["total_tokens"] > 0
        streamed = client.post("/v1/chat/completions", json={**BODY, "stream": True}, timeout=30)
        assert '"content":"OK"' in streamed.text
        assert streamed.text.rstrip().endswith("data: [DONE]")
