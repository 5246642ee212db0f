"""One chat completion: checked, limited, answered, billed."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import replace

from aiohttp import web

from amx_kimi.sandbox import disguise, faults, manners, wire
from amx_kimi.sandbox.answers import answer
from amx_kimi.sandbox.checks import Ask, check
from amx_kimi.sandbox.plan import Bill, Plan, Prompt, budget, make, prompt_of
from amx_kimi.sandbox.prefixes import block_keys
from amx_kimi.sandbox.refusals import no_balance, of_fault, rate_limited
from amx_kimi.sandbox.rows import limits
from amx_kimi.sandbox.state import Visit
from amx_kimi.sandbox.stream import abort, event_stream, send, whole

_ids = itertools.count(1)


async def complete(visit: Visit) -> web.StreamResponse:
    """Answer a chat request, or raise the Refusal that it gets."""
    options, state = visit.options, visit.state
    number = state.next_chat()
    visit.fault = faults.draw(options.faults, number, options.seed)
    if visit.fault == "reset-before":
        visit.end(0)
        abort(visit.request)
        return web.Response()
    if visit.fault in faults.REJECTIONS:
        raise of_fault(visit.fault, options, visit.key)
    struck = (visit.fault,) if visit.fault and visit.fault in manners.names() else ()
    visit.manners = frozenset((*options.sets, *struck))
    if refused := _refused(visit):
        visit.end(refused.status, "refused")
        return web.Response(
            status=refused.status,
            body=refused.body.encode(),
            content_type=refused.type,
            headers=refused.headers,
        )
    body = visit.json()
    ask = check(body, options, coding=visit.coding)
    if options.balance <= 0:
        raise no_balance(visit.key)
    prompt = prompt_of(body)
    most = budget(ask, prompt.count)
    _enter(visit, prompt.count + most)
    try:
        told = disguise.retold(answer(ask, options, visit.fault), visit.manners)
        plan = make(ask, told, options, visit.fault, most, number)
        if "in-reasoning" in visit.manners:
            plan = replace(plan, reasoning=plan.content, content="", logprobs=None)
        return await _answer(visit, ask, prompt, plan)
    finally:
        visit.end(499, "client_closed_request")


def _refused(visit: Visit) -> manners.Refused | None:
    options = visit.options
    if options.most_bytes is not None and visit.size > options.most_bytes:
        return manners.refusals()["too-large"]
    if any(word in visit.text for word in options.moderates):
        found = manners.refused(visit.manners)
        return found or manners.refusals()["moderation-400"]
    if "ceiling" in visit.manners and (found := manners.above_ceiling(visit.json())):
        return found
    return None if options.moderates else manners.refused(visit.manners)


def _enter(visit: Visit, tokens: int) -> None:
    options, limiter = visit.options, visit.state.limiter
    hit = limiter.enter(limits(options), time.monotonic(), options.minute, tokens)
    if hit is not None:
        raise rate_limited(options, visit.key, hit.name, hit.limit, hit.wait)
    visit.on_end = limiter.leave


async def _answer(visit: Visit, ask: Ask, prompt: Prompt, plan: Plan) -> web.StreamResponse:
    options = visit.options
    bill = _bill(visit, ask, prompt, plan)
    visit.charge(bill, ask.row, ask.cache_ttl)
    if options.latency:
        await asyncio.sleep(options.latency)
    head = wire.Head(
        id=f"sandbox-chatcmpl-{next(_ids)}",
        model=ask.model,
        created=int(time.time()),
        top_logprobs=ask.top_logprobs,
    )
    usage = bill.usage(options.usage_shape)
    if not ask.stream or visit.manners & {"whole", "json-as-stream"}:
        body = whole(wire.body(head, plan, usage), plan.finish_reason)
        return await send(visit, disguise.disguised(body, visit.manners))
    events = wire.events(
        head,
        plan,
        usage,
        shape=options.usage_shape,
        include=ask.include_usage and visit.fault != "no-done",
        chunks=options.chunks,
    )
    body = event_stream(events, plan.finish_reason, visit.fault)
    return await send(visit, disguise.disguised(body, visit.manners))


def _bill(visit: Visit, ask: Ask, prompt: Prompt, plan: Plan) -> Bill:
    cached = written = 0
    if visit.options.cache:
        # A changed effort breaks the hits of a session, so it is part of the scope.
        scope = (visit.key, ask.row.id, ask.effort)
        keys = block_keys(scope, prompt.tokens)
        cached = visit.state.prefixes.cached_tokens(keys)
        visit.state.prefixes.add(keys)
        written = len(keys) * 256 - cached if ask.row.write else 0
    return Bill(
        prompt=prompt.count,
        cached=cached,
        written=written,
        completion=plan.reasoning_tokens + plan.content_tokens,
        reasoning=plan.reasoning_tokens,
    )
