"""A server whose API begins below /v1, as most do; elsewhere it has a page, or nothing."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["ELSEWHERE", "below_v1"]

ELSEWHERE = {
    "nothing": (404, b'{"detail": "Not Found"}'),
    "a page": (200, b"<!doctype html><title>Sign in</title>"),
    "another document": (200, b'{"status": "ok"}'),
}
"""What it may answer there: status and body."""


@contextmanager
def below_v1(elsewhere: str, *, api: bool = True) -> Iterator[str]:
    """Such a server; yields its address without /v1. It lists one model, `mine`; without `api` it
    has nothing but pages."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            there = api and self.path == "/v1/models"
            status, body = (200, b'{"data": [{"id": "mine"}]}') if there else ELSEWHERE[elsewhere]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
