"""A client of a sandbox, and bodies to send."""

from __future__ import annotations

import json
from typing import Any

import httpx

from amx_kimi.sandbox import Sandbox

KEY = "sk-test-0123456789"
PATH = "/chat/completions"


class Client:
    """Speaks to one sandbox."""

    def __init__(self, sandbox: Sandbox, http: httpx.Client) -> None:
        self.sandbox = sandbox
        self.http = http

    def get(self, path: str) -> httpx.Response:
        return self.http.get(self.sandbox.root + path)

    def post(self, path: str, body: Any) -> httpx.Response:
        return self.http.post(self.sandbox.root + path, json=body)

    def chat(self, **body: Any) -> httpx.Response:
        return self.http.post(self.sandbox.url + PATH, json=ask(**body))

    def content(self, **body: Any) -> str:
        answer = self.chat(**body)
        assert answer.status_code == 200, answer.text
        content: str = answer.json()["choices"][0]["message"]["content"]
        return content

    def stream(self, **body: Any) -> list[dict[str, Any]]:
        """The events of a stream that ends properly."""
        data = ask(stream=True, **body)
        with self.http.stream("POST", self.sandbox.url + PATH, json=data) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = [line for line in answer.iter_lines() if line]
        assert lines[-1] == "data: [DONE]"
        return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


def column(name: str, id_: int = 1, **facts: Any) -> dict[str, Any]:
    return {"id": id_, "name": name, **facts}


def contract(*columns: Any, ask_table: bool = False, **more: Any) -> str:
    """A request of our contract for these columns of public.orders."""
    items = [
        column(item, number) if isinstance(item, str) else item
        for number, item in enumerate(columns, 1)
    ]
    table = {"id": "T1", "name": "public.orders", "ask": ask_table, "rows": 100, "columns": items}
    return json.dumps({"task": "describe", "language": "en", "tables": [table], **more})


def ask(user: Any = "Hello there", **body: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": user}]
    return {"model": "kimi-k2-0905-preview", "messages": messages, **body}
