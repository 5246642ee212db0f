"""BigQuery's kind at a replay: what the API says, refuses and keeps, beyond the emulator."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from datetime import date, timedelta
from typing import Any

import pytest

from amx_kimi.databases.base import Comment, Reading, RefusedError, Selection
from amx_kimi.databases.bigquery.resources import comments_of
from amx_kimi.databases.opening import open_comments, open_source
from amx_kimi.errors import SourceError
from tests.warehouses.bigquery_server import (
    PROJECT,
    Replay,
    field,
    inventory,
    refused,
    without_descriptions,
)


@pytest.fixture
def replay() -> Iterator[Replay]:
    server = Replay()
    yield server
    server.close()


KINDS: dict[str, dict[str, Any]] = {
    "ext": {"type": "EXTERNAL", "externalDataConfiguration": {"sourceFormat": "CSV"}},
    "mv": {"type": "MATERIALIZED_VIEW", "materializedView": {"query": "SELECT id FROM s.t"}},
    "snap": {"type": "SNAPSHOT", "numRows": "7"},
    "t": {
        "numRows": "10",
        "numPartitions": "3",
        "streamingBuffer": {"estimatedRows": "5", "estimatedBytes": "9"},
        "rangePartitioning": {
            "field": "id",
            "range": {"start": "0", "end": "100", "interval": "10"},
        },
        "tableConstraints": {
            "primaryKey": {"columns": ["id", "code"]},
            "foreignKeys": [
                {
                    "name": "t.fk$1",
                    "referencedTable": {"projectId": PROJECT, "datasetId": "s", "tableId": "u"},
                    "columnReferences": [{"referencingColumn": "code", "referencedColumn": "c"}],
                }
            ],
        },
    },
    "v": {"type": "VIEW", "view": {"query": "SELECT 1 AS id", "useLegacySql": False}},
}
COLUMNS = (field("id", "INTEGER", "REQUIRED"), field("code", maxLength="3", description="Code."))


def test_what_the_api_says_of_each_kind_of_table(replay: Replay) -> None:
    for name, more in KINDS.items():
        replay.add("s", name, *COLUMNS, **more)
    items = inventory(replay.url())
    assert (items["t"].rows, items["t"].details) == (
        15,
        {"partitions": 3, "partitioned_by": "id (steps of 10)", "keys": ["primary (id, code)"]},
    )
    assert (items["t.code"].key_role, items["t.code"].fk) == ("fk,pk", "s.u.c")
    assert (items["t.code"].type, items["t.code"].comment) == ("STRING(3)", "Code.")
    assert {name: items[name].details.get("storage") for name in KINDS} == {
        "ext": "foreign table",
        "mv": "materialized view",
        "snap": "snapshot",
        "t": None,
        "v": None,
    }
    assert [items["v"].definition, items["mv"].definition] == [
        "SELECT 1 AS id",
        "SELECT id FROM s.t",
    ]
    source = open_source(replay.url(), Reading(data=True))
    for name in ("ext", "mv", "v"):
        assert source.profile(items[name], ["id"]) == {}
    assert "GET projects datasets tables data" not in replay.asked
    source.close()


@pytest.mark.parametrize(
    ("type_", "more", "told"),
    [
        ("NUMERIC", {"precision": "10", "scale": "2"}, "NUMERIC(10, 2)"),
        ("FLOAT", {}, "FLOAT64"),
        ("BOOLEAN", {}, "BOOL"),
        ("RANGE", {"rangeElementType": {"type": "DATE"}}, "RANGE<DATE>"),
        ("RECORD", {"mode": "REPEATED", "fields": [field("a")]}, "ARRAY<STRUCT<…>>"),
        ("GEOGRAPHY", {"mode": "REPEATED"}, "ARRAY<GEOGRAPHY>"),
        ("FUTURE", {}, "FUTURE"),
    ],
)
def test_types(replay: Replay, type_: str, more: dict[str, Any], told: str) -> None:
    replay.add("s", "t", {**field("c", type_), **more})
    assert inventory(replay.url())["t.c"].type == told


def test_every_table_is_one_call_whatever_it_has_and_none_is_a_query(replay: Replay) -> None:
    for size in (30, 300):
        replay.tables.clear()
        replay.asked.clear()
        for number in range(size):
            day = date(2024, 1, 1) + timedelta(number)
            replay.add("s", f"t{number}", *(field(f"c{one}") for one in range(20)))
            replay.add("s", f"log_{day:%Y%m%d}", field("a"))
        inventory(replay.url())
        assert replay.asked == {
            "GET projects datasets": 2,
            "GET projects datasets tables": 1 + size + 1,  # the list, and one for all shards
        }


def test_protected_columns_are_not_read_and_pages_are_bounded(replay: Replay) -> None:
    secret = field("iban", policyTags={"names": ["projects/p/locations/eu/taxonomies/1"]})
    replay.add(
        "s",
        "t",
        field("id", "INTEGER"),
        field("who", "RECORD", fields=[field("name"), secret]),
        numRows="5000",
    )
    replay.rows["s", "t"] = [{"id": str(one % 3)} for one in range(5_000)]
    source = open_source(replay.url(), Reading(data=True))
    item = next(source.items(Selection()))
    facts = source.profile(item, ["id", "who", "who.name", "who.iban"])
    source.close()
    assert list(facts) == ["id"]
    assert (facts["id"].distinct, sum(count for _, count in facts["id"].values)) == (None, 1_001)
    assert [query["selectedFields"] for query in replay.queries] == [["id"]]


def test_rows_that_may_not_be_read_are_a_note(replay: Replay) -> None:
    replay.add("s", "t", field("id"))
    denied = "Access Denied: Table: Permission bigquery.tables.getData denied on table"
    replay.refusals["GET", "/t/data"] = (403, refused(403, "accessDenied", denied))
    source = open_source(replay.url(), Reading(data=True))
    item = next(source.items(Selection()))
    assert source.profile(item, ["id"]) == {}
    assert "bigquery.tables.getData denied" in source.notes[0]
    source.close()


def test_what_may_not_be_seen_is_a_note_and_what_is_gone_is_left_out(replay: Replay) -> None:
    for dataset, name in (("a", "open"), ("a", "closed"), ("a", "gone"), ("b", "x")):
        replay.add(dataset, name, field("id"))
    denied = "Access Denied: Permission bigquery.tables.get denied on table (or it may not exist)."
    replay.refusals["GET", "/closed"] = (403, refused(403, "accessDenied", denied))
    replay.refusals["GET", "/gone"] = (404, refused(404, "notFound", "Not found: Table"))
    replay.refusals["GET", "/b/tables"] = (403, refused(403, "accessDenied", denied))
    source = open_source(replay.url())
    assert [item.name for item in source.items(Selection())] == ["a.open", "a.open.id"]
    assert len(source.notes) == 2
    assert "The dataset b is left out" in source.notes[0]
    assert "Left out: 1 table (a.closed)" in source.notes[1]
    source.close()
    with pytest.raises(SourceError, match=r"bigquery.tables.get denied.*\n.*metadataViewer"):
        open_source(replay.url("b"))


REFUSALS = {
    "no API": (403, "accessNotConfigured", "BigQuery API has not been used", "Enable the BigQ"),
    "no project": (404, "notFound", "Not found: Project shop-1", "Check the project's id"),
    "no dataset": (404, "notFound", "Not found: Dataset shop-1:s", "Check the dataset's name"),
    "a right": (403, "accessDenied", "Permission bigquery.tables.list denied", "a role that has"),
    "billing": (403, "billingNotEnabled", "Billing has not been enabled", "Enable billing"),
    "quota": (403, "quotaExceeded", "Quota exceeded: quota for x", "ask for more quota"),
}


@pytest.mark.parametrize(("code", "reason", "message", "remedy"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_is_a_sentence_and_a_remedy(
    replay: Replay, code: int, reason: str, message: str, remedy: str
) -> None:
    replay.refusals["GET", "/s/tables"] = (code, refused(code, reason, message))
    with pytest.raises(SourceError) as caught:
        open_source(replay.url("s"))
    assert caught.value.message == f"{_identity(replay)} cannot be opened: {message}"
    assert remedy in caught.value.remedy


def _identity(replay: Replay) -> str:
    return f"bigquery://{replay.address.partition('://')[2]}/{PROJECT}"


def test_a_quota_that_ends_within_a_run_is_an_error(replay: Replay) -> None:
    replay.add("s", "t", field("id"))
    replay.refusals["GET", "/t"] = (403, refused(403, "quotaExceeded", "Quota exceeded: tables"))
    source = open_source(replay.url())
    with pytest.raises(SourceError, match="Quota exceeded"):
        list(source.items(Selection()))
    source.close()


def test_comments_change_nothing_else_and_lose_nothing(replay: Replay) -> None:
    tags = {"policyTags": {"names": ["x"]}, "defaultValueExpression": "'a'", "newThing": {"b": 1}}
    nested = field("r", "RECORD", fields=[field("deep", "RECORD", fields=[field("x", **tags)])])
    replay.add("s", "t", field("id", **tags), nested, labels={"team": "a"})
    before = deepcopy(replay.tables["s", "t"])
    database = open_comments(replay.url())

    def somebody() -> None:
        table = replay.tables["s", "t"]
        table["schema"]["fields"][0]["description"] = "Theirs."
        table["etag"] = "e2"

    replay.before_patch.append(somebody)
    wanted = [Comment("id", None, "Ours."), Comment("r.deep.x", None, "X."), Comment("", None, "T")]
    assert database.write("s", "t", wanted) == [wanted[0]]
    now = replay.tables["s", "t"]
    assert comments_of(now) == {
        "": "T",
        "id": "Theirs.",
        "r": None,
        "r.deep": None,
        "r.deep.x": "X.",
    }
    assert without_descriptions({**now, "etag": "e1"}) == before
    assert set(replay.bodies[0]) == {"description", "schema"}
    assert database.write("s", "t", [Comment("", "T", None)]) == []
    assert replay.bodies[1] == {"description": None}
    database.close()


def test_two_conflicts_are_a_refusal(replay: Replay) -> None:
    replay.add("s", "t", field("id"))
    table = replay.tables["s", "t"]
    replay.before_patch += [lambda: table.update(etag="e2"), lambda: table.update(etag="e3")]
    database = open_comments(replay.url())
    with pytest.raises(RefusedError, match="somebody else changes the table"):
        database.write("s", "t", [Comment("id", None, "Ours.")])
    assert comments_of(table)["id"] is None
    database.close()


def test_a_refused_table_is_written_not_at_all(replay: Replay) -> None:
    replay.add("s", "t", field("id"))
    denied = "Access Denied: Permission bigquery.tables.update denied on table s.t"
    replay.refusals["PATCH", "/t"] = (403, refused(403, "accessDenied", denied))
    database = open_comments(replay.url())
    with pytest.raises(RefusedError, match=r"tables\.update denied.*bigquery\.dataEditor"):
        database.write("s", "t", [Comment("id", None, "Ours.")])
    replay.refusals["PATCH", "/t"] = (401, refused(401, "authError", "Token expired"))
    with pytest.raises(SourceError, match="cannot be written") as caught:
        database.write("s", "t", [Comment("id", None, "Ours.")])
    assert not isinstance(caught.value, RefusedError)
    database.close()


def test_names_that_differ_by_case_only(replay: Replay) -> None:
    replay.add("s", "orders", field("id"), description="small")
    replay.add("s", "Orders", field("ID"), description="large")
    items = inventory(replay.url())
    assert [items["orders"].comment, items["Orders"].comment] == ["small", "large"]
    database = open_comments(replay.url())
    assert database.write("s", "Orders", [Comment("ID", None, "New.")]) == []
    assert comments_of(replay.tables["s", "orders"])["id"] is None
    assert comments_of(replay.tables["s", "Orders"])["ID"] == "New."
    database.close()


@pytest.mark.parametrize("name", ["mv", "snap"])
def test_only_the_whole_of_a_snapshot_or_materialized_view_is_written(
    replay: Replay, name: str
) -> None:
    replay.add("s", name, *COLUMNS, **KINDS[name])
    database = open_comments(replay.url())
    with pytest.raises(RefusedError, match=r"no comments for columns of a .* \(id\)") as caught:
        database.write("s", name, [Comment("", None, "T."), Comment("id", None, "Ours.")])
    assert list(caught.value.columns) == ["id"]
    assert replay.bodies == [{"description": "T."}]
    database.close()


def test_tables_that_are_gone_are_omitted(replay: Replay) -> None:
    for day in ("20240101", "20240102"):
        replay.add("s", f"events_{day}", field("a"))
    database = open_comments(replay.url())
    assert set(database.read([("s", "events_*"), ("s", "gone"), ("s", "gone_*")])) == {
        ("s", "events_*")
    }
    assert database.write("s", "events_*", [Comment("a", None, "A.")]) == []
    assert comments_of(replay.tables["s", "events_20240102"])["a"] == "A."
    wanted = [Comment("a", None, "A.")]
    assert database.write("s", "gone", wanted) == wanted
    database.close()
