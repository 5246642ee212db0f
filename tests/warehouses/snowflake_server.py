"""A Snowflake of the test session's own: fakesnow, as a process behind a real socket."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from .emulators import emulator

HERE = Path(__file__).parent


class Snowflake:
    """The server, with one database of the test's own."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.database = f"D{secrets.token_hex(4).upper()}"
        self.place = f"host=127.0.0.1&port={port}&protocol=http"
        self.account = "snowflake://reader:secret-pw@org-acc"
        self.url = f"{self.account}/{self.database}?{self.place}&warehouse=WH"
        self.replay()
        self.execute(f"CREATE DATABASE {self.database}", f"CREATE SCHEMA {self.database}.SHOP")

    def execute(self, *statements: str) -> list[Any]:
        """Run statements; returns the rows of the last one."""
        import snowflake.connector

        with snowflake.connector.connect(
            user="owner",
            password="pw",
            account="org-acc",
            host="127.0.0.1",
            port=self.port,
            protocol="http",
            enable_server_session_keep_alive_auto_detection=True,
        ) as connection:
            cursor = connection.cursor()
            for statement in statements:
                rows = cursor.execute(statement).fetchall()
        self.statements()
        return rows

    def statements(self) -> list[str]:
        """What arrived since the last call."""
        told: list[str] = self._ask("statements", None)
        return told

    def replay(self, *answers: dict[str, Any]) -> None:
        """What is answered to statements that match `statement`: `columns` and `rows`, or `code`
        and `message`."""
        self._ask("replay", answers)

    def _ask(self, what: str, body: Sequence[Any] | None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(f"http://127.0.0.1:{self.port}/test/{what}", data)) as answer:
            return json.load(answer)


@pytest.fixture(scope="session")
def snowflake_port() -> Iterator[int]:
    pytest.importorskip("snowflake.sqlalchemy", reason='no pip install "amx-kimi[snowflake]"')
    python = emulator("fakesnow", "fakesnow").with_name("python")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [python, HERE / "fakesnow_shim.py", str(port)],
        stdout=sys.stderr,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for _ in range(6_000):
            if server.poll() is not None:
                assert server.stderr is not None
                said = server.stderr.read().strip().rpartition("\n")[2]
                raise AssertionError(f"fakesnow does not start: {said}")
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.01)
        yield port
    finally:
        server.kill()
        server.communicate()


@pytest.fixture
def snowflake(snowflake_port: int) -> Snowflake:
    return Snowflake(snowflake_port)
