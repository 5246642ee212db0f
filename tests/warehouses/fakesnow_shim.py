"""Runs fakesnow 0.12 as a server, in the emulators' environment: python fakesnow_shim.py PORT

What fakesnow lacks and Snowflake has is added here, after Snowflake's SQL reference (November
2026): the master token of a login, comments of views and of their columns, comments in SHOW TABLES
and SHOW VIEWS, views in INFORMATION_SCHEMA.TABLES, quotes in comments.

Below /test/, a test hears which statements arrived (`statements`), and says what is to be answered
to some of them (`replay`): rows of a documented shape, or an error.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from typing import Any

import fakesnow.cursor
import fakesnow.info_schema
import fakesnow.transforms
import fakesnow.transforms.show
import uvicorn
from sqlglot import exp

COMMENT = """coalesce((select x.comment from _fs_global._fs_information_schema._fs_tables_ext x
    where x.ext_table_catalog = table_catalog and x.ext_table_schema = table_schema
    and x.ext_table_name = table_name), '') as comment"""
VIEWS = """
union all select v.database_name, v.schema_name, v.view_name, 'SYSADMIN', 'VIEW', 'NO', NULL, NULL,
    NULL, 1, NULL, NULL, NULL, NULL, NULL, 'NO', 'YES', NULL, to_timestamp(0)::timestamptz,
    to_timestamp(0)::timestamptz, to_timestamp(0)::timestamptz, 'SYSADMIN', 'NO', x.comment, 'NO',
    'NO', 'NO', 'NO', 'NO'
from duckdb_views v left join _fs_global._fs_information_schema._fs_tables_ext x
  on v.database_name = x.ext_table_catalog and v.schema_name = x.ext_table_schema
 and v.view_name = x.ext_table_name
where v.database_name = '${catalog}' and v.schema_name not in ('_fs_information_schema', 'main')
  and not v.internal
"""


def extend() -> None:
    show, info = fakesnow.transforms.show, fakesnow.info_schema
    for name in ("SQL_CREATE_VIEW_SHOW_TABLES", "SQL_CREATE_VIEW_SHOW_VIEWS"):
        setattr(show, name, getattr(show, name).replace("'' as comment", COMMENT))
    tables = info.SQL_CREATE_INFORMATION_SCHEMA_TABLES_VIEW
    tables.template = tables.template.rstrip() + VIEWS

    plain = info.insert_table_comment_sql

    def insert(catalog: str, schema: str, table: str, comment: str) -> str:
        return plain(*(part.replace("'", "''") for part in (catalog, schema, table, comment)))

    info.insert_table_comment_sql = insert

    keys = fakesnow.transforms.show_keys

    def show_keys(found: Any, database: Any, *, kind: str) -> Any:
        if kind == "FOREIGN" and isinstance(found, exp.Show) and found.name == "IMPORTED KEYS":
            raise NotImplementedError("SHOW IMPORTED KEYS")  # it would tell primary keys
        return keys(found, database, kind=kind)

    fakesnow.transforms.show_keys = show_keys

    parse = fakesnow.cursor.parse_one

    def parse_one(sql: str) -> Any:
        found = parse(sql)
        if isinstance(found, exp.Alter) and found.args.get("kind") == "VIEW":
            for action in found.args["actions"]:
                if isinstance(action, exp.AlterColumn) and action.args.get("comment"):
                    place = found.this.sql("snowflake") + "." + action.this.sql("snowflake")
                    text = action.args["comment"].sql("snowflake")
                    return parse(f"COMMENT ON COLUMN {place} IS {text}")
        return found

    fakesnow.cursor.parse_one = parse_one

    cursor = fakesnow.cursor.FakeSnowflakeCursor
    describe = cursor._describe_last_sql

    def described(self: Any) -> list[Any]:
        if str(self._last_sql).startswith("COMMENT"):
            self._last_sql = fakesnow.cursor.SQL_SUCCESS
        return describe(self)

    cursor._describe_last_sql = described


class Shim:
    """An ASGI application around fakesnow's."""

    def __init__(self) -> None:
        from fakesnow.server import app  # it reads what `extend` changed

        self.app = app
        self.statements: list[str] = []
        self.replays: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = await self._body(receive)
        text = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        answer = self._answer(scope["path"], text)
        if answer is not None:
            await self._send(send, answer)
        elif scope["path"] == "/session/v1/login-request":
            await self.app(scope, self._again(body), self._with_token(send))
        else:
            await self.app(scope, self._again(body), send)

    def _answer(self, path: str, body: bytes) -> Any:
        if path == "/test/statements":
            told, self.statements = self.statements, []
            return told
        if path == "/test/replay":
            self.replays = json.loads(body)
            return {}
        if path == "/telemetry/send":
            return {"success": True}
        asked = "LOGIN" if path == "/session/v1/login-request" else ""
        if path == "/queries/v1/query-request":
            asked = json.loads(body)["sqlText"]
            self.statements.append(asked)
        for one in self.replays if asked else ():
            if re.search(one["statement"], asked):
                return self._replay(one)
        return None

    def _replay(self, one: dict[str, Any]) -> Any:
        if "code" in one:
            data = {"errorCode": one["code"], "sqlState": one.get("state", "42000")}
            return {"success": False, "code": one["code"], "message": one["message"], "data": data}
        kind = {"type": "text", "nullable": True, "length": 16777216, "byteLength": 16777216}
        rest = {"scale": None, "precision": None, "collation": None}
        place = {"database": "", "schema": "", "table": ""}
        return {
            "success": True,
            "data": {
                "rowtype": [{"name": name, **kind, **rest, **place} for name in one["columns"]],
                "rowset": one["rows"],
                "total": len(one["rows"]),
                "returned": len(one["rows"]),
                "queryId": "01b2c3d4-0000-0000-0000-000000000001",
                "queryResultFormat": "json",
                "statementTypeId": 4096,
                "parameters": [],
            },
        }

    def _with_token(self, send: Any) -> Any:
        held: list[Any] = []

        async def changed(message: Any) -> None:
            if message["type"] == "http.response.start":
                held.append(message)
                return
            answer = json.loads(message["body"])
            if answer.get("data"):
                answer["data"] |= {
                    "masterToken": "m",
                    "validityInSeconds": 3600,
                    "masterValidityInSeconds": 14400,
                    "sessionId": 1,
                }
            await self._send(send, answer)

        return changed

    async def _send(self, send: Any, answer: Any) -> None:
        raw = json.dumps(answer).encode()
        headers = [(b"content-type", b"application/json")]
        headers.append((b"content-length", str(len(raw)).encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": raw})

    async def _body(self, receive: Any) -> bytes:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                return body

    def _again(self, body: bytes) -> Any:
        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        return receive


if __name__ == "__main__":
    extend()
    uvicorn.run(Shim(), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
