"""What the sandbox answers when it doesn't answer: Moonshot's error types and wordings."""

from __future__ import annotations

import hashlib
import math

from amx_kimi.sandbox.options import Options

INVALID = "invalid_request_error"
RATE = "rate_limit_reached_error"


class Refusal(Exception):
    """An error response: status, error type, message, and seconds to wait where it has them."""

    def __init__(self, status: int, kind: str, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.wait = wait


def invalid(message: str) -> Refusal:
    """A 400 about the request."""
    return Refusal(400, INVALID, message)


def not_found(model: str) -> Refusal:
    """The 404 of an unknown or retired model."""
    message = f"Not found the model {model} or Permission denied"
    return Refusal(404, "resource_not_found_error", message)


def unauthorized(options: Options) -> Refusal:
    """The 401 of a missing or wrong key; it reads differently in the two regions."""
    if options.region == "cn":
        message = "Incorrect API key provided: it is not a key of this region"
    else:
        message = "Invalid Authentication"
    return Refusal(401, "invalid_authentication_error", message)


def account(key: str | None) -> str:
    """The account as messages name it, a different one for every key."""
    digest = hashlib.sha256((key or "nobody").encode("utf-8", "replace")).hexdigest()
    return f"org-{digest[:16]}<ak-{digest[16:36]}>"


def rate_limited(options: Options, key: str | None, name: str, limit: int, wait: float) -> Refusal:
    """A 429 for concurrency, RPM, TPM or TPD, with or without figures."""
    seconds = max(1, math.ceil(wait))
    start = f"Your account {account(key)} request reached organization max {name}"
    if options.limit_figures:
        message = f"{start}: {limit}, please try again after {seconds} seconds"
    else:
        message = f"{start}, please try again later"
    return Refusal(429, RATE, message, wait=seconds)


def no_balance(key: str | None) -> Refusal:
    """The 429 of an account without money, which no waiting helps."""
    message = f"Your account {account(key)} is suspended, please check your plan and billing"
    return Refusal(429, "exceeded_current_quota_error", f"{message} details")


def of_fault(kind: str, options: Options, key: str | None) -> Refusal:
    """The refusal of a fault that strikes before any answer."""
    if kind == "rate":
        return rate_limited(options, key, "RPM", options.rpm or 500, options.minute / 60)
    if kind == "tpd":
        day = options.minute * 1440
        return rate_limited(options, key, "TPD", options.tpd or 1_500_000, day / 2)
    if kind == "quota":
        return no_balance(key)
    if kind == "unauthorized":
        return unauthorized(options)
    return _PLAIN[kind]()


_PLAIN = {
    "overload": lambda: Refusal(
        429,
        "engine_overloaded_error",
        "The engine is currently overloaded, please try again later",
        wait=1,
    ),
    "500": lambda: Refusal(500, "server_error", "Internal server error, please try again later"),
    "503": lambda: Refusal(
        503, "server_unavailable", "The server is currently unavailable", wait=1
    ),
    "504html": lambda: Refusal(504, "", "<html><body><h1>504 Gateway Time-out</h1></body></html>"),
    "forbidden": lambda: Refusal(
        403, "permission_denied_error", "The API you are accessing is not open to this account"
    ),
    "filter": lambda: Refusal(
        400, "content_filter", "The request was rejected because it was considered high risk"
    ),
}
