"""Serves ClickHouse itself (chdb, which runs in a process) over ClickHouse's HTTP interface.

Started by the emulators' Python, with a port. Settings of a request are not applied, and SET is
answered with nothing, because chdb has only one session.
"""

import base64
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

from chdb.session import Session

REFUSED = "no_right"  # a user of this name may not alter anything


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    session = Session()

    def do_GET(self) -> None:
        self._answer(b"Ok.\n")

    def do_POST(self) -> None:
        options = {key: value[0] for key, value in parse_qs(urlsplit(self.path).query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        query = (options.get("query", "") + body).strip()
        basic = self.headers.get("Authorization", "").removeprefix("Basic ")
        user = base64.b64decode(basic).decode().partition(":")[0]
        if query.startswith("SET "):
            self._answer(b"")
        elif query.startswith("ALTER") and user == REFUSED:
            self._answer(
                b"Code: 497. DB::Exception: no_right: Not enough privileges. (ACCESS_DENIED)", 403
            )
        else:
            self._run(query, options)

    def _run(self, query: str, options: dict[str, str]) -> None:
        with_format = self.headers.get("X-ClickHouse-Format") or options.get("default_format")
        try:
            if database := options.get("database"):
                self.session.query(f"USE `{database}`")
            found = self.session.query(query, with_format or "TabSeparated")
        except Exception as error:
            self._answer(str(error).encode(), 400)
        else:
            self._answer(found.bytes() if found else b"")

    def _answer(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status != 200:
            self.send_header("X-ClickHouse-Exception-Code", body.split(b".")[0][6:].decode())
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
