"""A Databricks SQL warehouse on loopback for tests: the connector's own protocol (Thrift over
HTTPS), in front of a real Spark (`spark_process`), which runs every statement.

It speaks what a warehouse answers to the connector: sessions, statements with direct results,
errors with Spark's error classes, tokens, and OAuth for service principals.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from .emulators import emulator

TOKEN = "dapi-test-0123456789abcdef"
CLIENT, CLIENT_SECRET = "12345678-aaaa", "dose-test-0123456789"
WAREHOUSE = "/sql/1.0/warehouses/abc123"


class Warehouse:
    """What a test sees: `url`, the `statements` that arrived, and what is `refused` (a pattern of
    statements, and the words)."""

    def __init__(self, spark: subprocess.Popen[str], folder: Path) -> None:
        self._spark = spark
        self._lock = threading.Lock()
        self.folder = folder
        self.authority = folder / "ca.pem"
        self.port = 0
        self.reset()

    def reset(self) -> None:
        self.statements: list[str] = []
        self.sessions: list[dict[str, str]] = []
        self.agents: list[str] = []
        self.refused: dict[str, str] = {}
        self.replayed: dict[str, list[list[str]]] = {}
        self.http: tuple[int, str] | None = None
        self.put({})

    @property
    def url(self) -> str:
        path = f"http_path={WAREHOUSE}&catalog=spark_catalog"
        trust = f"tls_trusted_ca_file={self.authority}"
        return f"databricks://token:{TOKEN}@localhost:{self.port}?{path}&{trust}"

    def put(self, relations: dict[str, list[dict[str, Any]]]) -> None:
        """Rows of the information_schema that Spark itself does not have."""
        self._ask({"put": relations})

    def parse(self, sql: str) -> str:
        """The plan that Spark's own parser makes of a statement."""
        return str(self._ask({"parse": sql})["plan"])

    def sql(self, *statements: str) -> list[list[Any]]:
        """Run statements as somebody else."""
        rows: list[list[Any]] = []
        for statement in statements:
            answer = self._ask({"sql": statement})
            assert "error" not in answer, answer["error"]
            rows = answer["rows"]
        return rows

    def run(self, sql: str) -> dict[str, Any]:
        """Run a statement of the connector."""
        self.statements.append(sql)
        for pattern, words in self.refused.items():
            if re.search(pattern, sql):
                return {"error": words}
        for pattern, rows in self.replayed.items():
            if re.search(pattern, sql):
                return {"columns": [["value", "string"]], "rows": rows}
        return self._ask({"sql": sql})

    def _ask(self, ask: dict[str, Any]) -> dict[str, Any]:
        assert self._spark.stdin
        assert self._spark.stdout
        with self._lock:
            self._spark.stdin.write(json.dumps(ask) + "\n")
            self._spark.stdin.flush()
            answer: dict[str, Any] = json.loads(self._spark.stdout.readline())
        return answer


@contextmanager
def started() -> Iterator[Warehouse]:
    """A warehouse; skips the test if there is no pyspark or no Java."""
    python = emulator("spark-submit").with_name("python")
    pytest.importorskip("databricks.sql")
    if not shutil.which("java"):
        pytest.skip("no Java here, which Spark needs (apt-get install default-jre-headless)")
    folder = Path(tempfile.mkdtemp(prefix="amx-kimi-spark-"))
    spark = subprocess.Popen(
        [python, Path(__file__).with_name("spark_process.py"), folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=folder,
        env={**os.environ, "HOME": str(folder)},
    )
    assert spark.stdin
    assert spark.stdout
    try:
        assert json.loads(spark.stdout.readline()) == {"ready": True}
        warehouse = Warehouse(spark, folder)
        with _served(warehouse):
            yield warehouse
    finally:
        spark.stdin.close()
        spark.wait(60)
        spark.stdout.close()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _served(warehouse: Warehouse) -> Iterator[None]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(warehouse.authority))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(warehouse))
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    warehouse.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(warehouse: Warehouse) -> type[BaseHTTPRequestHandler]:
    from databricks.sql.thrift_api.TCLIService import TCLIService
    from thrift.protocol.TBinaryProtocol import TBinaryProtocol
    from thrift.transport.TTransport import TMemoryBuffer

    processor = TCLIService.Processor(_service(warehouse))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/oidc/v1/token":
                return self._token()
            warehouse.agents.append(self.headers["User-Agent"])
            if warehouse.http:
                return self._refuse(*warehouse.http)
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                return self._refuse(403, "Invalid access token.")
            if self.path != WAREHOUSE:
                return self._refuse(404, "RESOURCE_DOES_NOT_EXIST: No SQL warehouses found")
            out = TMemoryBuffer()
            processor.process(TBinaryProtocol(TMemoryBuffer(body)), TBinaryProtocol(out))
            return self._send(200, out.getvalue(), "application/x-thrift", {})

        def _token(self) -> None:
            wanted = base64.b64encode(f"{CLIENT}:{CLIENT_SECRET}".encode()).decode()
            if self.headers["Authorization"] != f"Basic {wanted}":
                told = {"error": "invalid_client", "error_description": "Client auth failed"}
                return self._send(401, json.dumps(told).encode(), "application/json", {})
            told = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600}
            return self._send(200, json.dumps(told).encode(), "application/json", {})

        def _refuse(self, status: int, words: str) -> None:
            self._send(status, b"", "text/plain", {"x-databricks-reason-phrase": words})

        def _send(self, status: int, body: bytes, type_: str, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Type": type_}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _service(warehouse: Warehouse) -> object:
    from databricks.sql.thrift_api.TCLIService import ttypes as t

    done = t.TStatus(statusCode=t.TStatusCode.SUCCESS_STATUS)

    def handle() -> Any:
        return t.THandleIdentifier(guid=os.urandom(16), secret=os.urandom(16))

    class Service:
        def OpenSession(self, req: Any) -> Any:
            warehouse.sessions.append(dict(req.configuration))
            return t.TOpenSessionResp(
                status=done,
                serverProtocolVersion=t.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V7,
                sessionHandle=t.TSessionHandle(sessionId=handle()),
                canUseMultipleCatalogs=True,
            )

        def ExecuteStatement(self, req: Any) -> Any:
            assert len(req.parameters or ()) <= 256
            operation = t.TOperationHandle(
                operationId=handle(),
                operationType=t.TOperationType.EXECUTE_STATEMENT,
                hasResultSet=True,
            )
            answer = warehouse.run(req.statement)
            if "error" in answer:
                status = t.TGetOperationStatusResp(
                    status=done,
                    operationState=t.TOperationState.ERROR_STATE,
                    displayMessage=answer["error"],
                )
                direct = t.TSparkDirectResults(operationStatus=status)
            else:
                direct = _direct(t, done, answer)
            return t.TExecuteStatementResp(
                status=done, operationHandle=operation, directResults=direct
            )

        def CloseSession(self, _: Any) -> Any:
            return t.TCloseSessionResp(status=done)

        def CloseOperation(self, _: Any) -> Any:
            return t.TCloseOperationResp(status=done)

    return Service()


def _direct(t: Any, done: Any, answer: dict[str, Any]) -> Any:
    described, columns = [], []
    for number, (name, type_) in enumerate(answer["columns"]):
        is_number = type_ in ("int", "bigint")
        values = [row[number] for row in answer["rows"]]
        bits = bytearray((len(values) + 7) // 8)
        for place, value in enumerate(values):
            bits[place // 8] |= (value is None) << (place % 8)
        kind = t.TTypeId.INT_TYPE if is_number else t.TTypeId.STRING_TYPE
        entry = t.TTypeEntry(primitiveEntry=t.TPrimitiveTypeEntry(type=kind))
        described.append(
            t.TColumnDesc(columnName=name, typeDesc=t.TTypeDesc(types=[entry]), position=number + 1)
        )
        if is_number:
            filled = t.TI32Column(values=[value or 0 for value in values], nulls=bytes(bits))
            columns.append(t.TColumn(i32Val=filled))
        else:
            texts = ["" if value is None else str(value) for value in values]
            columns.append(t.TColumn(stringVal=t.TStringColumn(values=texts, nulls=bytes(bits))))
    return t.TSparkDirectResults(
        operationStatus=t.TGetOperationStatusResp(
            status=done, operationState=t.TOperationState.FINISHED_STATE
        ),
        resultSetMetadata=t.TGetResultSetMetadataResp(
            status=done,
            schema=t.TTableSchema(columns=described),
            resultFormat=t.TSparkRowSetType.COLUMN_BASED_SET,
        ),
        resultSet=t.TFetchResultsResp(
            status=done,
            hasMoreRows=False,
            results=t.TRowSet(startRowOffset=0, rows=[], columns=columns),
        ),
        closeOperation=t.TCloseOperationResp(status=done),
    )
