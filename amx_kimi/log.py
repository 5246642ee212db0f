"""Structured events, silent unless somebody listens.

Events go through structlog into the standard logger `amx_kimi`, so that a host's logging set-up
applies and a library user sees nothing by default. `amx-kimi --log-file` attaches a JSON handler.
"""

import logging
from pathlib import Path

import structlog

from amx_kimi.files import private_file

__all__ = ["get_logger", "log_to_file"]

_LOGGER = logging.getLogger("amx_kimi")
_LOGGER.addHandler(logging.NullHandler())


def get_logger() -> structlog.stdlib.BoundLogger:
    """The package's logger: `get_logger().info("request.sent", model=…)`."""
    logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        _LOGGER,
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return logger


def log_to_file(path: Path, *, debug: bool = False) -> logging.Handler:
    """Append every event to `path`, one JSON object a line; returns the handler to close.

    Raises:
        OSError: the file cannot be opened for writing.
    """
    if path.is_file() or not path.exists():  # not /dev/stderr
        private_file(path.resolve(), tighten=False)  # it names tables
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ]
        )
    )
    _LOGGER.addHandler(handler)
    _LOGGER.setLevel(logging.DEBUG if debug else logging.INFO)
    _LOGGER.propagate = False
    return handler
