"""Routes under any prefix, keys, error bodies, and the control endpoint ``/_sandbox``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from amx_kimi.sandbox import chat, manners
from amx_kimi.sandbox.options import Options, changed
from amx_kimi.sandbox.plan import prompt_of
from amx_kimi.sandbox.record import masked
from amx_kimi.sandbox.refusals import Refusal, invalid, unauthorized
from amx_kimi.sandbox.rows import Row, facts, find, served
from amx_kimi.sandbox.state import State, Visit

MARK = "amx-kimi stand-in, not Kimi"
CONTROL = "/_sandbox"
_LARGEST_BODY = 100 * 1024 * 1024

Handler = Callable[[Visit], Awaitable[web.StreamResponse]]


def build(state: State) -> web.Application:
    """The application around this state."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path == CONTROL or request.path.startswith(f"{CONTROL}/"):
            return await _control(state, request)
        return await _serve(state, request)

    async def mark(_request: web.Request, response: web.StreamResponse) -> None:
        response.headers["X-Sandbox"] = MARK

    app = web.Application(client_max_size=_LARGEST_BODY)
    app.router.add_route("*", "/{path:.*}", handle)
    app.on_response_prepare.append(mark)
    return app


async def _serve(state: State, request: web.Request) -> web.StreamResponse:
    state.under_way += 1
    try:
        return await _served(state, request)
    finally:
        state.under_way -= 1


async def _served(state: State, request: web.Request) -> web.StreamResponse:
    try:
        raw = await request.read()
    except web.HTTPRequestEntityTooLarge:
        return _refusal(Refusal(413, "invalid_request_error", "the body is too large"), state)
    visit = Visit(state, request, raw)
    if "only-v1" in visit.options.sets and not request.path.startswith("/v1/"):
        page = manners.refusals()["web-page"]
        return web.Response(text=page.body, content_type=page.type)
    try:
        handler = _route(request)
        visit.is_chat = handler is chat.complete
        if visit.options.auth and not _accepted(visit.key, visit.options):
            raise unauthorized(visit.options)
        response = await handler(visit)
        visit.end(response.status)
        return response
    except Refusal as refusal:
        visit.end(refusal.status, refusal.kind or None)
        return _refusal(refusal, state)


def _accepted(key: str | None, options: Options) -> bool:
    if options.keys:
        return key in options.keys
    return key is not None and key.startswith("sk-")


def _refusal(refusal: Refusal, state: State) -> web.Response:
    headers = {}
    if refusal.wait is not None and state.options.retry_after:
        headers["Retry-After"] = str(round(refusal.wait))
    if not refusal.kind:
        return web.Response(text=refusal.message, status=refusal.status, content_type="text/html")
    body = {"error": {"type": refusal.kind, "message": refusal.message}}
    return _json(body, status=refusal.status, headers=headers)


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(value, status=status, headers=headers)


def _route(request: web.Request) -> Handler:
    for method, ending, handler in _ROUTES:
        if request.method == method and request.path.rstrip("/").endswith(ending):
            return handler
    message = f"The requested resource {request.path} was not found"
    raise Refusal(404, "resource_not_found_error", message)


async def _models(visit: Visit) -> web.StreamResponse:
    rows = served(visit.options, visit.coding)
    return _json({"object": "list", "data": [_model(row, visit.coding) for row in rows]})


def _model(row: Row, coding: bool) -> dict[str, Any]:
    item: dict[str, Any] = {
        "id": row.id,
        "object": "model",
        "created": 1_760_000_000,
        "owned_by": "sandbox",
        "context_length": row.context,
        "supports_image_in": row.vision,
        "supports_video_in": row.vision,
        "supports_reasoning": row.thinking != "never",
    }
    if coding:
        item["display_name"] = row.id
        item["supports_thinking_type"] = _THINKING_TYPE[row.thinking]
        item["think_efforts"] = {
            "support": bool(row.efforts),
            "valid_efforts": list(row.efforts),
            "default_effort": row.default_effort if row.efforts else "",
        }
    return item


async def _balance(visit: Visit) -> web.StreamResponse:
    options = visit.options
    rate = facts().cny_per_usd if options.region == "cn" else 1.0
    spent = float(visit.state.record.totals.cost) * rate
    left = round(options.balance - spent, 5)
    data = {"available_balance": left, "voucher_balance": 0.0, "cash_balance": left}
    return _json({"code": 0, "data": data, "scode": "0x0", "status": True})


async def _estimate(visit: Visit) -> web.StreamResponse:
    body = visit.json()
    find(body.get("model"), visit.options, visit.coding)
    if not isinstance(body.get("messages"), list):
        raise invalid("Invalid request: messages must be a list")
    return _json({"data": {"total_tokens": prompt_of(body).count}})


_THINKING_TYPE = {"never": "no", "optional": "both", "always": "only"}
_ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/chat/completions", chat.complete),
    ("GET", "/models", _models),
    ("GET", "/users/me/balance", _balance),
    ("POST", "/tokenizers/estimate-token-count", _estimate),
)


async def _control(state: State, request: web.Request) -> web.StreamResponse:
    call = (request.method, request.path.removeprefix(CONTROL).rstrip("/"))
    if call == ("GET", "/requests"):
        return _json([seen.public() for seen in state.record.seen])
    if call == ("DELETE", ""):
        state.reset()
    elif call == ("POST", ""):
        try:
            state.options = changed(state.options, _changes(await request.read()))
        except ValueError as error:
            return _refusal(invalid(str(error)), state)
    elif call != ("GET", ""):
        message = f"{request.method} {request.path} is no call of the sandbox"
        return _refusal(Refusal(404, "resource_not_found_error", message), state)
    return _json({"options": _public(state.options), "totals": state.totals().public()})


def _changes(raw: bytes) -> dict[str, Any]:
    changes = json.loads(raw)
    if not isinstance(changes, dict):
        raise ValueError("the body is not a JSON object of options")
    return changes


def _public(options: Options) -> dict[str, Any]:
    data = dataclasses.asdict(options)
    return {**data, "keys": [masked(key) for key in options.keys]}
