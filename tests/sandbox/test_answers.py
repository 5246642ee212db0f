"""What it answers: the contract, AMX's text, tools, small talk."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from amx_kimi.sandbox.words import lexicon, split

from .helpers import Client, column, contract

Start = Callable[..., Client]

AMX_SYSTEM = """You are a data-catalog expert.
COLUMN: <column_name>
DESCRIPTION_1: <most likely description>
DESCRIPTION_2: <alternative description>
CONFIDENCE: <HIGH|MEDIUM|LOW>
REASONING: <why you think so>
"""
AMX_TABLE = """
TABLE_DESCRIPTION_1: <most likely table description>
TABLE_DESCRIPTION_2: <alternative table description>
TABLE_CONFIDENCE: <HIGH|MEDIUM|LOW>
"""
AMX_USER = """Database: shop
Schema: public
Table: orders
Row count: 100
Outgoing foreign keys (upstream dependencies): [{'columns': ['zz'], 'ref_table': 'towns'}]

Columns:
  - cust_id | type=INTEGER | nulls=0/100 | distinct=9 | samples=['1', '2']
  - st | type=CHAR(1) | nulls=0/100 | samples=['A', 'B'] | existing_comment=None
  - zz | type=TEXT | nulls=99/100

Other column names in this table (context only):
  foo, bar"""


def test_contract_answers_every_column_in_its_flat_shape(client: Client) -> None:
    user = contract(column("cust_id", 41), column("xq7", 42), ask_table=True, alternatives=3)
    content = client.content(user=user)
    answer = json.loads(content)
    assert list(answer) == ["T1 public.orders", "41 cust_id", "42 xq7"]
    assert all(len(values) == 4 and values[0] in "hml" for values in answer.values())
    assert all(len(set(values)) == 4 for values in answer.values())
    assert len(content.splitlines()) == 3


def test_contract_leaves_out_tables_that_are_not_asked(client: Client) -> None:
    assert list(json.loads(client.content(user=contract("id")))) == ["1 id"]


@pytest.mark.parametrize(
    ("facts", "confidence"),
    [
        ({"name": "cust_ord_nr"}, "h"),
        ({"name": "zzq", "fk": "public.towns.id"}, "h"),
        ({"name": "cust_zzq"}, "m"),
        ({"name": "gadget"}, "m"),
        ({"name": "zzq"}, "l"),
    ],
)
def test_confidence_follows_what_is_known(
    client: Client, facts: dict[str, Any], confidence: str
) -> None:
    (values,) = json.loads(client.content(user=contract({"id": 1, **facts}))).values()
    assert values[0] == confidence


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"name": "KUNNR"}, "Customer number"),
        ({"name": "id"}, "Unique identifier of the order."),
        ({"name": "custOrdDt"}, "Customer order date"),
        ({"name": "is_active"}, "marked as active"),
        ({"name": "st", "samples": ["A", "B"]}, "Values seen: A, B."),
        ({"name": "zz_ref", "fk": "public.towns.id"}, "Refers to public.towns.id."),
        ({"name": "note", "nulls": 99}, "Mostly empty."),
    ],
)
def test_descriptions_say_what_the_facts_say(
    client: Client, facts: dict[str, Any], text: str
) -> None:
    (values,) = json.loads(client.content(user=contract({"id": 1, **facts}))).values()
    assert text in values[1]


def test_descriptions_are_german_when_asked(client: Client) -> None:
    answer = client.content(user=contract("ord_dt", language="de"))
    assert "Auftrags-Datum" in answer


def test_descriptions_never_claim_to_be_kimi(client: Client) -> None:
    assert "stand-in" in client.content(user="Who are you?")
    assert "Kimi" not in client.content(user=contract("id", "zz", ask_table=True))


@pytest.mark.parametrize("name", ['a"b', "new\nline", "dots.in.it", "😀", "", "ü" * 300, "{what}"])
def test_hostile_names_come_back_as_they_are(client: Client, name: str) -> None:
    assert list(json.loads(client.content(user=contract(name)))) == [f"1 {name}"]


def test_lexicon_knows_many_abbreviations() -> None:
    assert len(lexicon().words) > 400
    assert [word.en for word in split("T_AUFTR_POS_NR")] == ["order", "position", "number"]
    assert [word.de for word in split("kdnr")] == ["Kundennummer"]


@pytest.mark.parametrize("ask_table", [False, True])
def test_amx_text_has_a_block_for_each_column(client: Client, ask_table: bool) -> None:
    system = AMX_SYSTEM + (AMX_TABLE if ask_table else "")
    messages = [{"role": "system", "content": system}, {"role": "user", "content": AMX_USER}]
    text = client.content(messages=messages)
    assert re.findall(r"^COLUMN: (.+)$", text, re.MULTILINE) == ["cust_id", "st", "zz"]
    assert len(re.findall(r"^DESCRIPTION_[12]: .+\.$", text, re.MULTILINE)) == 6
    assert "Values seen: A, B." in text
    assert "Refers to towns." in text
    assert re.findall(r"^CONFIDENCE: (\w+)$", text, re.MULTILINE) == ["HIGH", "HIGH", "HIGH"]
    assert len(re.findall(r"^TABLE_DESCRIPTION_\d: ", text, re.MULTILINE)) == 2 * ask_table


def test_amx_top_up_repeats_nothing(client: Client) -> None:
    user = (
        "You previously generated alternatives for: public.orders.st.\n"
        "Existing alternatives (do NOT repeat or paraphrase these):\n"
        '  EXISTING_1: "Current status of the order."\n\n'
        "Return exactly 2 NEW description(s) in the same format"
    )
    text = client.content(user=user)
    assert len(re.findall(r"^DESCRIPTION_\d: ", text, re.MULTILINE)) == 2
    assert "Current status of the order." not in text


def test_amx_can_ask_a_confidence_for_each_alternative(client: Client) -> None:
    system = AMX_SYSTEM + "CONFIDENCE_1: <HIGH|MED|LOW>\n"
    messages = [{"role": "system", "content": system}, {"role": "user", "content": AMX_USER}]
    text = client.content(messages=messages)
    assert len(re.findall(r"^CONFIDENCE_[12]: HIGH$", text, re.MULTILINE)) == 6


def test_amx_merges_tables_and_columns(client: Client) -> None:
    text = client.content(
        user=f"{AMX_SYSTEM}\n### cust_id\n  [db] a\n\n### (table-level)\n  [db] b"
    )
    assert re.findall(r"^COLUMN: (.+)$", text, re.MULTILINE) == ["cust_id", "(table-level)"]


@pytest.mark.parametrize(
    ("user", "text"),
    [
        ("Column name: created_at\nDtype family: timestamp\n", "creation time"),
        ("DESCRIPTION: <concise schema description>", "DESCRIPTION: Holds"),
        (
            "You previously generated alternatives for: a.orders (table-level).\n"
            "Return exactly 1 NEW description(s)",
            "DESCRIPTION_1: Holds one row for each order",
        ),
        ('{"task": "dance"}', "stand-in"),
        ("{broken", "stand-in"),
        ('{"task": "describe", "tables": 5}', "{}"),
    ],
)
def test_smaller_questions(client: Client, user: str, text: str) -> None:
    assert text in client.content(user=user)


def test_the_named_tool_is_called_with_what_its_schema_wants(client: Client) -> None:
    properties = {
        "mode": {"enum": ["slow", "fast"]},
        "start": {"default": 7},
        "names": {"type": "array", "items": {"type": "string"}},
        "limit": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "kind": {"type": ["boolean", "null"]},
    }
    functions = [{"name": "a"}, {"name": "b", "parameters": {"properties": properties}}]
    tools = [{"type": "function", "function": function} for function in functions]
    choice = {"type": "function", "function": {"name": "b"}}
    answer = client.chat(tools=tools, tool_choice=choice).json()
    function = answer["choices"][0]["message"]["tool_calls"][0]["function"]
    wanted = {"mode": "slow", "start": 7, "names": ["names"], "limit": 1.0, "kind": True}
    assert (function["name"], json.loads(function["arguments"])) == ("b", wanted)
    assert "stand-in" in client.content(user="Call it", tools=tools, tool_choice="none")


def test_ping_gets_ok(client: Client) -> None:
    assert client.content(user="Reply with OK") == "OK"


def test_a_tool_is_called_when_asked(client: Client) -> None:
    parameters = {
        "type": "object",
        "properties": {"table": {"type": "string"}, "limit": {"type": "integer"}},
    }
    tool = {"type": "function", "function": {"name": "look", "parameters": parameters}}
    assert "stand-in" in client.content(tools=[tool])
    choice = client.chat(user="Call the tool", tools=[tool]).json()["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    function = choice["message"]["tool_calls"][0]["function"]
    assert function["name"] == "look"
    assert json.loads(function["arguments"]) == {"table": "table", "limit": 1}
    events = client.stream(user="Call the tool", tools=[tool])
    deltas = [event["choices"][0]["delta"] for event in events if event["choices"]]
    assert [delta["tool_calls"][0]["index"] for delta in deltas if "tool_calls" in delta] == [0]


def test_json_schema_is_filled(client: Client) -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert json.loads(client.content(response_format=wanted)) == {"ok": True}


def test_json_object_is_honoured_or_not(start: Start) -> None:
    client = start()
    wanted = {"type": "json_object"}
    assert json.loads(client.content(response_format=wanted))
    client.sandbox.set(strict_json=False)
    assert client.content(user=contract("id"), response_format=wanted).startswith("Here are")


def test_partial_goes_on_where_it_stopped(client: Client) -> None:
    user = {"role": "user", "content": contract("id")}
    start = {"role": "assistant", "content": '{"1 id"', "partial": True}
    assert client.content(messages=[user, start]).startswith(": [")


def test_it_forgets_columns_of_large_requests(start: Start) -> None:
    client = start(forget_above=5, forget_every=3)
    assert len(json.loads(client.content(user=contract(*"abcde")))) == 5
    assert list(json.loads(client.content(user=contract(*"abcdef")))) == [
        "1 a",
        "2 b",
        "4 d",
        "5 e",
    ]
