"""Structured events: silent by default, JSON lines in a file on demand."""

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from amx_kimi.log import get_logger, log_to_file
from amx_kimi.types import Secret


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    logger = logging.getLogger("amx_kimi")
    before = (list(logger.handlers), logger.level, logger.propagate)
    yield
    for handler in set(logger.handlers) - set(before[0]):
        handler.close()
    logger.handlers, logger.level, logger.propagate = before


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_nothing_is_printed_by_default(capfd: pytest.CaptureFixture[str]) -> None:
    get_logger().warning("request.failed", status=500)
    assert capfd.readouterr() == ("", "")


def test_events_become_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    handler = log_to_file(path)
    get_logger().info("request.sent", model="kimi-k2.6", tokens=17, note="zwölf\nZeilen")
    get_logger().debug("request.detail")
    handler.flush()
    [event] = lines(path)
    assert datetime.fromisoformat(event.pop("timestamp")).tzinfo is not None
    assert event == {
        "event": "request.sent",
        "level": "info",
        "model": "kimi-k2.6",
        "tokens": 17,
        "note": "zwölf\nZeilen",
    }


def test_debug_takes_the_details_too(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log_to_file(path, debug=True).flush()
    get_logger().debug("request.detail", n=1)
    assert [event["event"] for event in lines(path)] == ["request.detail"]


def test_a_file_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"event": "earlier"}\n')
    log_to_file(path)
    get_logger().info("later")
    assert [event["event"] for event in lines(path)] == ["earlier", "later"]


def test_a_secret_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log_to_file(path)
    get_logger().info("key.found", key=Secret("sk-abcdefghijkl-9876"))
    assert "abcdef" not in path.read_text("utf-8")


def test_events_in_a_file_go_nowhere_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    get_logger().warning("before")
    log_to_file(tmp_path / "events.jsonl")
    get_logger().warning("after")
    seen = [record.getMessage() for record in caplog.records]
    assert any("before" in message for message in seen)
    assert not any("after" in message for message in seen)


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        log_to_file(tmp_path / "missing" / "events.jsonl")
