"""The sandbox in a process of its own, so that its work is not counted as a contestant's."""

import json
import subprocess
import sys
from types import TracebackType
from typing import Any, Self
from urllib.request import Request, urlopen

__all__ = ["Service"]


class Service:
    """`amx-kimi sandbox` with these options; `url` is its base URL."""

    def __init__(self, **options: Any) -> None:
        options = {"keep_bodies": False, **options}
        self._command = [sys.executable, "-m", "amx_kimi", "sandbox"]
        for name, value in options.items():
            flag = name.replace("_", "-")
            if isinstance(value, bool):
                self._command.append(f"--{flag}" if value else f"--no-{flag}")
            else:
                self._command += [f"--{flag}", str(value)]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        self._warm_up()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait()

    def _warm_up(self) -> None:
        """A first request loads vocabularies; it is not counted, and meets no fault."""
        faults = self._control()["options"]["faults"]
        self._control(json.dumps({"faults": ""}).encode())
        question = {"model": "kimi-k2.6", "messages": [{"role": "user", "content": "Hello"}]}
        headers = {"Authorization": "Bearer sk-bench-0123456789abcdef"}
        body = json.dumps(question).encode()
        urlopen(Request(f"{self.url}/chat/completions", body, headers)).read()
        self._control(json.dumps({"faults": faults}).encode())
        self._control(method="DELETE")

    def _control(self, body: bytes | None = None, method: str | None = None) -> dict[str, Any]:
        request = Request(f"{self.url.removesuffix('/v1')}/_sandbox", body, method=method)
        with urlopen(request) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def totals(self) -> dict[str, Any]:
        """What it saw so far: requests, tokens, cost, statuses."""
        totals: dict[str, Any] = self._control()["totals"]
        return totals
