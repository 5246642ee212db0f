"""What Redshift has and PostgreSQL has not, so that a real PostgreSQL can stand in for it.

- A proxy takes the start-up parameters out that only Redshift knows, so that Amazon's own driver
  can connect over a real socket.
- `svv_*` views and a function with the columns of Amazon's Database Developer Guide (November
  2026), filled by hand.
- Backslashes in literals are escapes, as in Redshift.
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress

import psycopg
from sqlalchemy.engine import make_url

_KNOWN = (b"user", b"database", b"application_name")
CATALOG = """
CREATE TABLE svv_external_tables (redshift_database_name text, schemaname text, tablename text,
  tabletype text, location text);
CREATE TABLE svv_external_columns (redshift_database_name text, schemaname text, tablename text,
  columnname text, external_type text, columnnum int, part_key int, is_nullable text);
CREATE TABLE svv_table_info ("database" text, "schema" text, table_id oid, "table" text,
  encoded text, diststyle text, sortkey1 text, tbl_rows numeric);
CREATE TABLE svv_redshift_columns (database_name text, schema_name text, table_name text,
  column_name text, ordinal_position int, data_type text, column_default text, is_nullable text,
  encoding text, distkey boolean, sortkey int, column_acl text, remarks text);
CREATE TABLE late_columns (s name, v name, c name, t varchar, n int);
CREATE FUNCTION pg_get_late_binding_view_cols() RETURNS SETOF record LANGUAGE sql
  AS 'SELECT s, v, c, t, n FROM public.late_columns';
"""


class RedshiftServer:
    """A PostgreSQL database that looks like Redshift."""

    def __init__(self, url: str) -> None:
        self._url = url
        plain = make_url(url)
        self.database = str(plain.database)
        self._socket = f"{plain.query['host']}/.s.PGSQL.5432"
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()
        for setting in ("standard_conforming_strings", "escape_string_warning"):
            self.execute(f'ALTER DATABASE "{self.database}" SET {setting} = off')
        self.execute(CATALOG)

    def url(self, user: str = "postgres") -> str:
        """For amx-kimi."""
        port = self._listener.getsockname()[1]
        return (
            f"redshift://{user}:secret@127.0.0.1:{port}/{self.database}?ssl=false&sslmode=disable"
        )

    def execute(self, statements: str) -> list[tuple[object, ...]]:
        """Statements of PostgreSQL's own."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            run = connection.execute(statements)  # type: ignore[call-overload]
            return list(run.fetchall()) if run.description else []

    def comments(self) -> dict[str, str]:
        """Every comment of tables and columns outside of the catalog."""
        rows = self.execute(
            "SELECT concat_ws('.', c.relname, a.attname), d.description FROM pg_description d "
            "JOIN pg_class c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass "
            "LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid "
            "AND d.objsubid > 0 WHERE c.relnamespace = 'sales'::regnamespace"
        )
        return {str(name): str(text) for name, text in rows}

    def close(self) -> None:
        """Accept no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.socket(socket.AF_UNIX) as server:
            server.connect(self._socket)
            (length,) = struct.unpack("!i", _read(client, 4))
            body = _read(client, length - 4)
            parts = body[4:].split(b"\0")
            kept = [
                name + b"\0" + value
                for name, value in zip(parts[::2], parts[1::2], strict=False)
                if name in _KNOWN
            ]
            message = body[:4] + b"\0".join(kept) + b"\0\0"
            server.sendall(struct.pack("!i", len(message) + 4) + message)
            threading.Thread(target=_pump, args=(client, server), daemon=True).start()
            _pump(server, client)


def _read(source: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = source.recv(count - len(found))
        if not more:
            raise OSError("closed")
        found += more
    return found


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)
