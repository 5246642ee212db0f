"""Servers for BigQuery's tests: an emulator that others wrote, and a replay of the API's shapes."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from amx_kimi.databases.base import Selection
from amx_kimi.databases.opening import open_source
from amx_kimi.types import Item

from .emulators import emulator as program_of

PROJECT = "shop-1"
# Without DuckDB's extension for GEOGRAPHY, which it would load from the network.
_START = """
from bqemulator.storage.engine import DuckDBEngine
DuckDBEngine._load_spatial = lambda self: None
from bqemulator.cli import main
main()
"""


@contextmanager
def emulator(folder: Path) -> Iterator[str]:
    """The address of a running bqemulator.

    It has no views' definitions, keys, etags, pages or permissions; the replay has them.
    """
    python = program_of("bqemulator").with_name("python")
    ports = [_free_port(), _free_port()]
    options = ["--rest-port", str(ports[0]), "--grpc-port", str(ports[1]), "--log-level", "error"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen([python, "-c", _START, "start", *options], stdout=log, stderr=log)
    address = f"http://127.0.0.1:{ports[0]}"
    try:
        _wait(address, server)
        yield address
    finally:
        server.terminate()
        server.wait(30)


def _free_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait(address: str, server: subprocess.Popen[bytes]) -> None:
    import httpx

    until = time.monotonic() + 120
    while time.monotonic() < until:
        assert server.poll() is None, "bqemulator ended"
        with suppress(httpx.HTTPError):
            httpx.get(f"{address}/healthz", timeout=5)
            return
        time.sleep(0.05)
    raise AssertionError("bqemulator did not start")


def client_of(address: str) -> bigquery.Client:
    """Google's own client of an emulator."""
    return bigquery.Client(
        PROJECT, AnonymousCredentials(), client_options={"api_endpoint": address}
    )


class Replay:
    """A server that answers as BigQuery's REST reference (November 2026) describes it: datasets and
    tables in pages, `If-Match`, rows, refusals, and the tokens of a service account.

    The resources are written by hand from that reference. `refusals` are answers by
    (method, end of the path); `asked` counts requests, `bodies` are what was sent.
    """

    def __init__(self) -> None:
        self.tables: dict[tuple[str, str], dict[str, Any]] = {}
        self.rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.refusals: dict[tuple[str, str], tuple[int, dict[str, Any]]] = {}
        self.before_patch: list[Any] = []
        self.asked: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.queries: list[dict[str, list[str]]] = []
        self.scopes: list[str] = []
        replay = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                sent = self.rfile.read(length)
                status, body = replay.answer(self.command, self.path, dict(self.headers), sent)
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json; charset=UTF-8")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = answer

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def url(self, dataset: str = "") -> str:
        return f"bigquery://{PROJECT}/{dataset}?api_endpoint={self.address}"

    def add(self, dataset: str, name: str, *fields: dict[str, Any], **more: Any) -> None:
        reference = {"projectId": PROJECT, "datasetId": dataset, "tableId": name}
        resource = {"kind": "bigquery#table", "tableReference": reference, "type": "TABLE"}
        schema = {"schema": {"fields": list(fields)}} if fields else {}
        self.tables[dataset, name] = {"etag": "e1", **resource, **schema, **more}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(
        self, method: str, target: str, headers: dict[str, str], sent: bytes
    ) -> tuple[int, dict[str, Any]]:
        place = urlsplit(target)
        path = unquote(place.path)
        for (verb, end), refusal in self.refusals.items():
            if verb == method and path.endswith(end):
                return refusal
        if path == "/token":
            return self._token(sent)
        parts = path.removeprefix("/bigquery/v2/").split("/")
        kinds = " ".join([method, *parts[0::2]])
        self.asked[kinds] += 1
        query = parse_qs(place.query)
        if kinds == "GET projects" and len(parts) == 1:
            found = {"id": PROJECT, "numericId": "1", "friendlyName": "Shop"}
            return 200, {"projects": [{"projectReference": {"projectId": PROJECT}, **found}]}
        if kinds == "GET projects datasets":
            names = sorted({dataset for dataset, _ in self.tables})
            listed = [{"datasetReference": {"projectId": parts[1], "datasetId": n}} for n in names]
            return 200, _page("datasets", listed, query)
        if kinds == "GET projects datasets tables" and len(parts) == 5:
            listed = [_listed(one) for key, one in self.tables.items() if key[0] == parts[3]]
            return 200, _page("tables", listed, query)
        key = (parts[3], parts[5])
        if key not in self.tables:
            return 404, refused(404, "notFound", f"Not found: Table {PROJECT}:{key[0]}.{key[1]}")
        if kinds.endswith("data"):
            self.queries.append(query)
            return 200, self._data(key, query)
        if method == "PATCH":
            return self._patch(key, headers, json.loads(sent))
        return 200, self.tables[key]

    def _patch(
        self, key: tuple[str, str], headers: dict[str, str], body: dict[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        if self.before_patch:
            self.before_patch.pop(0)()
        table = self.tables[key]
        if headers.get("If-Match") != table["etag"]:
            return 412, refused(412, "conditionNotMet", "Precondition check failed.")
        self.bodies.append(body)
        changed = {**table, **body, "etag": f"{table['etag']}+"}
        self.tables[key] = _without_nulls(changed)
        return 200, self.tables[key]

    def _data(self, key: tuple[str, str], query: dict[str, list[str]]) -> dict[str, Any]:
        names = query["selectedFields"][0].split(",")
        rows = self.rows.get(key, [])[: int(query["maxResults"][0])]
        cells = [{"f": [{"v": row[n]} for n in names if n in row]} for row in rows]
        return {"totalRows": str(len(self.rows.get(key, []))), "rows": cells}

    def _token(self, sent: bytes) -> tuple[int, dict[str, Any]]:
        import base64

        claims = parse_qs(sent.decode())["assertion"][0].split(".")[1]
        told = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        self.scopes.append(told["scope"])
        return 200, {"access_token": "SECRETtoken", "expires_in": 3600, "token_type": "Bearer"}


def field(name: str, type_: str = "STRING", mode: str = "NULLABLE", **more: Any) -> dict[str, Any]:
    """A `TableFieldSchema`."""
    return {"name": name, "type": type_, "mode": mode, **more}


def refused(code: int, reason: str, message: str) -> dict[str, Any]:
    """An error as the API sends it."""
    one = {"message": message, "domain": "global", "reason": reason}
    return {"error": {"code": code, "message": message, "errors": [one]}}


def key_file(folder: Path, address: str) -> Path:
    """The key of a service account, whose tokens come from `address`."""
    private = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = folder / "key.json"
    account = {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "1",
        "private_key": private.decode(),
        "client_email": "kimi@shop-1.iam.gserviceaccount.com",
        "token_uri": f"{address}/token",
    }
    path.write_text(json.dumps(account))
    return path


def inventory(url: str, selection: Selection | None = None) -> dict[str, Item]:
    """The items of a run, by their names without the dataset."""
    source = open_source(url)
    try:
        return {
            item.name.partition(".")[2]: item for item in source.items(selection or Selection())
        }
    finally:
        source.close()


def without_descriptions(resource: Any) -> Any:
    """A resource without the descriptions in it."""
    if isinstance(resource, dict):
        kept = {key: one for key, one in resource.items() if key != "description"}
        return {key: without_descriptions(one) for key, one in kept.items()}
    if isinstance(resource, list):
        return [without_descriptions(one) for one in resource]
    return resource


def _listed(resource: dict[str, Any]) -> dict[str, Any]:
    return {name: resource[name] for name in ("kind", "tableReference", "type")}


def _page(name: str, found: list[Any], query: dict[str, list[str]]) -> dict[str, Any]:
    start, size = int(query.get("pageToken", ["0"])[0]), int(query.get("maxResults", ["50"])[0])
    more = {"nextPageToken": str(start + size)} if start + size < len(found) else {}
    return {name: found[start : start + size], "totalItems": len(found), **more}


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(one) for key, one in value.items() if one is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list) else value
