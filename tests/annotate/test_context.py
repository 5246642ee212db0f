"""What people already wrote: glossaries, house rules, dbt manifests."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amx_kimi.annotate.context import Context, Glossary, Manifest, load_context
from amx_kimi.annotate.context.glossary import words_of
from amx_kimi.annotate.context.lineage import Origin, origins
from amx_kimi.annotate.opening import job_of
from amx_kimi.errors import ConfigError, ConfigFileError

from .helpers import Database, World, column_item, profile_at, table_item

Worlds = Callable[..., World]


def glossary(**terms: str) -> Glossary:
    return Glossary.of((term, meaning, "here") for term, meaning in terms.items())


def written(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


# Glossary


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("KdNr_2", ("kd", "nr", "2")),
        ("KDNR", ("kdnr",)),
        ("XMLParser", ("xml", "parser")),
        ("straßenName", ("strassen", "name")),
        ("größe", ("grösse",)),
        ("", ()),
    ],
)
def test_the_words_of_a_name(name: str, words: tuple[str, ...]) -> None:
    assert words_of(name) == words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("kd_nr", {"KD", "KD-Nr"}),
        ("KDNR", {"KD-Nr"}),
        ("kdNr", {"KD", "KD-Nr"}),
        ("sum of net revenue a month", {"net revenue"}),
        ("netRevenueEUR", {"net revenue"}),
        ("revenue_net", set()),
        ("skd", set()),
    ],
)
def test_terms_are_found_in_names_and_comments(text: str, found: set[str]) -> None:
    terms = Glossary.of(
        [("KD", "Kunde", ""), ("KD-Nr", "customer number", ""), ("net revenue", "w/o VAT", "")]
    )
    assert set(terms.about(text)) == found


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_looked_through(one: str, other: str) -> None:
    assert set(glossary(kd="Kunde").about(one, other)) <= {"kd"}


def test_a_reference_takes_the_other_terms_meaning() -> None:
    found = glossary(KD="see Kunde", Kunde="somebody who buys").about("kd")
    assert found == {"KD": "Kunde: somebody who buys"}


def test_a_circle_is_refused() -> None:
    with pytest.raises(ConfigFileError, match="circle: a → b → c → a"):
        glossary(a="see b", b="siehe c", c="= a")


def test_duplicates() -> None:
    same = [("KD", "Kunde", "line 1"), ("kd", "Kunde", "line 2")]
    assert len(Glossary.of(same).meanings) == 1
    with pytest.raises(ConfigFileError, match=r"line 2.*a different meaning than at line 1"):
        Glossary.of([("KD", "Kunde", "line 1"), ("kd", "Karton", "line 2")])


def test_csv_yaml_json_and_rules(tmp_path: Path) -> None:
    files = [
        written(tmp_path, "a.csv", "\ufeffTerm;Owner;Meaning\nKD;x;Kunde\n\n"),
        written(tmp_path, "b.yml", "terms: [{term: BE, meaning: Bestellung}]\nrules: [Short.]\n"),
        written(tmp_path, "c.yaml", "LF: Lieferung\n"),
        written(tmp_path, "d.json", '{"terms": {"RE": "Rechnung"}}'),
        written(tmp_path, "e.md", "Write for accountants.\n"),
    ]  # fmt: skip
    context = load_context(files)
    assert context.glossary.meanings == {
        **{"KD": "Kunde", "BE": "Bestellung", "LF": "Lieferung", "RE": "Rechnung"}
    }
    assert context.rules == "Short.\nWrite for accountants."
    assert [path for path, _ in context.files] == files


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "name,text\nx,y\n", "must name the columns"),
        ("a.csv", "term,meaning\nx\n", "line 2: expected a term"),
        ("a.csv", "term,meaning\nx,\n", "line 2.*no meaning"),
        ("a.csv", "", "found nothing"),
        ("a.yml", "a: [1", "not valid YAML"),
        ("a.yml", "a: &x {b: *x}", "is inside of what it refers to"),
        ("a.yml", "- 5", "entry 1: expected a term"),
        ("a.yml", "KdNr: customer\nKdNr: article\n", "'KdNr' occurs twice"),
        ("a.json", '{"KdNr": "customer", "KdNr": "article"}', "'KdNr' occurs twice"),
        ("a.yml", "rules: {a: 1}", "`rules` must be"),
        ("a.yml", "text", "expected terms"),
        ("a.json", "{", "not valid JSON"),
        ("a.json", '{"nodes": {}}', "no models"),
        ("a.json", '{"metadata": {}}', "is not a dbt manifest"),
        ("a.xls", "", "unknown kind"),
        ("a.txt", "x" * 9_000, "house rules have 9,000"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path: Path, name: str, text: str, said: str) -> None:
    path = written(tmp_path, name, text)
    with pytest.raises(ConfigFileError, match=said):
        load_context([path])


def test_a_missing_file_and_one_that_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileError, match="cannot be read"):
        load_context([str(tmp_path / "no.csv")])
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigFileError, match="not UTF-8"):
        load_context([str(tmp_path / "a.csv")])


# dbt


def node(name: str, sql: str = "", parents: tuple[str, ...] = (), **columns: str) -> dict[str, Any]:
    return {
        "resource_type": "model",
        "schema": "main",
        "name": name,
        "alias": name,
        "description": f"All {name}",
        "columns": {c: {"name": c, "description": text} for c, text in columns.items()},
        "compiled_code": sql,
        "depends_on": {"nodes": list(parents)},
    }


MANIFEST = {
    "metadata": {"adapter_type": "duckdb"},
    "sources": {
        "source.raw": {
            **node("raw", id="Number of the customer", fn="First name", ln="Last name"),
            **{"resource_type": "source", "identifier": "raw_customers", "depends_on": None},
        }
    },
    "nodes": {
        "model.stg": node(
            "stg",
            'with s as (select * from "db"."main"."raw_customers")'
            " select id as customer_id, fn || ' ' || ln as full_name, upper(fn) as fn_up from s",
            ("source.raw",),
        ),
        "model.mart": node(
            "mart",
            "select customer_id as cid, count(*) as n, full_name from main.stg group by 1, 3",
            ("model.stg",),
        ),
        "test.x": {"resource_type": "test"},
    },
}

TABLES = (
    "CREATE TABLE raw_customers (id int, fn text, ln text)",
    "CREATE TABLE stg (customer_id int, full_name text, fn_up text)",
    "CREATE TABLE mart (cid int, n int, full_name text)",
    "CREATE TABLE other (cid int)",
)


def test_origins() -> None:
    columns = {"main": {"raw_customers": ["id", "fn", "ln"]}}
    found = origins(MANIFEST["nodes"]["model.stg"]["compiled_code"], "duckdb", columns)  # type: ignore[index]
    raw = ("main", "raw_customers")
    assert found["customer_id"] == Origin(((*raw, "id"),), unchanged=True)
    assert set(found["full_name"].sources) == {(*raw, "fn"), (*raw, "ln")}
    assert not found["full_name"].unchanged
    assert not found["fn_up"].unchanged


@pytest.mark.parametrize("sql", ["select", "{{ ref('x') }}", "DELETE FROM t", "", "select 1"])
def test_sql_that_says_nothing(sql: str) -> None:
    assert origins(sql, "duckdb", {}) == {}


def test_a_pivot_says_nothing() -> None:
    sql = "select * from main.t pivot (max(name) for status in ('a', 'b'))"
    assert origins(sql, "duckdb", {"main": {"t": ["name", "status"]}}) == {}


def test_a_meaning_that_begins_like_a_reference_is_none() -> None:
    assert glossary(SF="Seefracht", Fracht="freight").about("sf") == {"SF": "Seefracht"}


def test_ephemeral_models_and_doubles_match_nothing() -> None:
    nodes = {"a": node("m", x="1"), "b": {**node("e"), "config": {"materialized": "ephemeral"}}}
    found = Manifest.of({"nodes": nodes}, "m.json")
    assert found.relation("main", "m")
    assert found.relation("main", "e") is None
    twice = Manifest.of({"nodes": {**nodes, "c": node("m")}}, "m.json")
    assert twice.relation("main", "m") is None


@pytest.mark.parametrize(
    ("sql", "sources", "unchanged"),
    [
        ("select a as z from t", "t.a", True),
        ("select q.z from (select a as z from t) q", "t.a", True),
        ("with x as (select * from t), y as (select a as z from x) select * from y", "t.a", True),
        ("select t.a as z from t join u using (a)", "t.a", True),
        ("select a + b as z from t", "t.a t.b", False),
        ("select max(a) over (partition by b) as z from t", "t.a t.b", False),
        ("select (select max(d) from u where u.a = t.b) as z from t", "u.d", False),
        ("select a as z from t union all select d from u", "t.a u.d", False),
        (
            "with recursive r as (select a as z from t union all select z + 1 from r) "
            "select z from r",
            "t.a",
            False,
        ),
        ("select x.z from t, unnest(t.a) as x(z)", "t.a", False),
    ],
)
@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "bigquery"])
def test_where_a_column_comes_from(sql: str, sources: str, unchanged: bool, dialect: str) -> None:
    if dialect == "bigquery" and "unnest" in sql:
        pytest.skip("sqlglot does not resolve BigQuery's correlated UNNEST")
    found = origins(sql, dialect, {"main": {"t": ["a", "b"], "u": ["a", "d"]}})["z"]
    assert {f"{table}.{column}" for _, table, column in found.sources} == set(sources.split())
    assert found.unchanged == unchanged


def test_a_union_by_name() -> None:
    sql = "select id, x from s.a union all by name select w as x, id from s.b"
    found = origins(sql, "duckdb", {"s": {"a": ["id", "x"], "b": ["id", "w"]}})
    assert set(found["x"].sources) == {("s", "a", "x"), ("s", "b", "w")}
    assert set(found["id"].sources) == {("s", "a", "id"), ("s", "b", "id")}


def test_names_that_differ_by_case_only_have_no_origin() -> None:
    sql = 'select a.id as q, b.id as "Q", a.x from s.a join s.b on a.id = b.id'
    found = origins(sql, "postgres", {"s": {"a": ["id", "x"], "b": ["id"]}})
    assert set(found) == {"x"}


def test_another_database_is_not_the_one_that_is_described() -> None:
    sql = "select o.amount, c.name from raw.shop.orders o join dwh.shop.customers c using (id)"
    columns = {"shop": {"orders": ["id", "amount"], "customers": ["id", "name"]}}
    found = origins(sql, "snowflake", columns, "DWH")
    assert found["amount"].sources == (("raw.shop", "ORDERS", "AMOUNT"),)
    assert found["name"].sources == (("SHOP", "CUSTOMERS", "NAME"),)


def test_of_several_databases_of_a_project_one_is_described() -> None:
    nodes = {
        key: {"resource_type": kind, "database": database, "schema": "shop", "name": "orders"}
        for key, kind, database in (("model.a", "model", "dwh"), ("source.b", "source", "raw"))
    }
    nodes["model.a"]["compiled_code"] = "select 1"
    manifest = Manifest.of({"nodes": nodes}, "manifest.json")
    assert manifest.relation("shop", "orders") is None
    for described, wanted in (("raw", "source.b"), ("DWH", "model.a"), ("dev_dwh", "model.a")):
        found = manifest.within(described).relation("shop", "orders")
        assert found
        assert found.id == wanted


def test_a_wide_union_is_followed_in_time_that_grows_with_it() -> None:
    def calls(columns: int) -> int:
        names = ", ".join(f"c{number}" for number in range(columns))
        sql = " union all ".join(f"select {names} from t{branch}" for branch in range(4))
        tables = {f"t{branch}": [f"c{n}" for n in range(columns)] for branch in range(4)}
        count = 0

        def one_more(*_: object) -> None:
            nonlocal count
            count += 1

        sys.setprofile(one_more)
        try:
            assert len(origins(sql, "duckdb", {"s": tables})) == columns
        finally:
            sys.setprofile(None)
        return count

    assert calls(120) < 5 * calls(40)  # three times as wide


def test_each_column_of_a_scope_is_followed_only_once() -> None:
    """A chain in which each step names the one before twice has 2^40 paths."""
    steps = "".join(
        f", s{n} as (select a + b as a, a - b as b from s{n - 1})" for n in range(1, 40)
    )
    sql = f"with s0 as (select a, b from t){steps} select a as z from s39"
    found = origins(sql, "duckdb", {"main": {"t": ["a", "b"]}})["z"]
    assert {column for *_, column in found.sources} == {"a", "b"}


def test_a_union_is_not_unchanged() -> None:
    sql = "select a from main.x union all select b as a from main.y"
    found = origins(sql, "duckdb", {"main": {"x": ["a"], "y": ["b"]}})
    assert not found["a"].unchanged


def test_an_older_manifest() -> None:
    old = node("m")
    old["compiled_sql"] = old.pop("compiled_code") or "select 1 as a"
    found = Manifest.of({"nodes": {"m": old}, "metadata": None}, "m.json")
    relation = found.relation("MAIN", "M")
    assert relation is not None
    assert relation.sql == "select 1 as a"
    assert found.relation("", "m") == relation
    assert found.relation("other", "m") is None


def test_descriptions_are_inherited(
    sqlite_database: Database, worlds: Worlds, tmp_path: Path
) -> None:
    sqlite_database.execute(*TABLES)
    context = load_context([written(tmp_path, "manifest.json", json.dumps(MANIFEST))])
    world = worlds(sqlite_database)
    result = world.run(context=context)
    found = world.found(result)
    assert world.asked() == [
        *("mart.n", "mart.full_name", "other", "other.cid", "stg.full_name", "stg.fn_up")
    ]
    inherited = {n: d for n, d in found.items() if d.status == "inherited"}
    assert {
        name: (d.suggestion.alternatives[0], d.suggestion.signal, d.facts["inherited_from"])
        for name, d in inherited.items()
        if d.suggestion and d.item.column
    } == {
        "raw_customers.id": ("Number of the customer", "inherited", "main.raw_customers.id"),
        "raw_customers.fn": ("First name", "inherited", "main.raw_customers.fn"),
        "raw_customers.ln": ("Last name", "inherited", "main.raw_customers.ln"),
        "stg.customer_id": ("Number of the customer", "inherited", "main.raw_customers.id"),
        "mart.cid": ("Number of the customer", "inherited", "main.raw_customers.id"),
    }
    assert (result.totals.inherited, result.totals.described) == (5, 10)
    tables = {t["name"]: t for q in world.questions() for t in q["tables"]}
    assert "upper(fn) as fn_up" in tables["stg"]["view"]
    froms = {c["name"]: c.get("from") for c in tables["stg"]["columns"]}
    assert froms["fn_up"] == ["main.raw_customers.fn: First name"]
    assert "from" not in tables["other"]["columns"][0]
    # What people wrote is not reused as if a model had been paid for it.
    plain = world.run()
    assert plain.totals.inherited == 0
    assert world.statuses(plain)["mart.cid"] == "described"


def test_with_all_they_are_context(
    sqlite_database: Database, worlds: Worlds, tmp_path: Path
) -> None:
    sqlite_database.execute(*TABLES)
    context = load_context([written(tmp_path, "manifest.json", json.dumps(MANIFEST))])
    world = worlds(sqlite_database)
    world.run(context=context, all_columns=True)
    tables = {t["name"]: t for q in world.questions() for t in q["tables"]}
    assert tables["raw_customers"]["existing"] == "All raw"
    assert tables["mart"]["columns"][0]["existing"] == "Number of the customer"


# In a run

SHOP = (
    "CREATE TABLE kd (kd_nr int, plz text)",
    "CREATE TABLE re (re_nr int, betrag int)",
)


def test_only_what_concerns_a_batch_is_in_its_prompt(
    sqlite_database: Database, worlds: Worlds
) -> None:
    sqlite_database.execute(*SHOP)
    world = worlds(sqlite_database)
    terms = glossary(KD="Kunde, ask anna@example.org", RE="Rechnung", BE="Bestellung")
    world.run(context=Context(terms, "Write for accountants."), batch_size=2)
    asked = {q["tables"][0]["name"]: q.get("glossary") for q in world.questions()}
    assert asked == {"kd": {"KD": "Kunde, ask a***@e***.org"}, "re": {"RE": "Rechnung"}}
    systems = {seen.body["messages"][0]["content"] for seen in world.sandbox.chats if seen.body}
    assert len(systems) == 1
    assert systems.pop().endswith("Write for accountants.\n")


def test_a_changed_term_asks_again_only_what_it_touches(
    sqlite_database: Database, worlds: Worlds
) -> None:
    sqlite_database.execute(*SHOP)
    world = worlds(sqlite_database)
    world.run(context=Context(glossary(KD="Kunde", RE="Rechnung")))
    world.sandbox.reset()
    world.run(context=Context(glossary(KD="Kunde", RE="Retoure", XY="unused")))
    assert world.asked() == ["re", "re.re_nr", "re.betrag"]
    world.sandbox.reset()
    world.run(context=Context(glossary(KD="Kunde", RE="Retoure"), "Short."))
    assert len(world.asked()) == 6


def test_a_run_is_resumed_with_its_context_or_not_at_all(
    sqlite_database: Database, worlds: Worlds, tmp_path: Path
) -> None:
    sqlite_database.execute(*SHOP)
    path = written(tmp_path, "g.csv", "term,meaning\nKD,Kunde\n")
    world = worlds(sqlite_database)
    run = world.stored(world.run(context=load_context([path]), limit=1))
    job = job_of(run, profile_at(world.sandbox.url))
    assert job.context.glossary.meanings == {"KD": "Kunde"}
    written(tmp_path, "g.csv", "term,meaning\nKD,Karton\n")
    with pytest.raises(ConfigError, match="has changed since"):
        job_of(run, profile_at(world.sandbox.url))


def test_a_context_that_says_nothing_of_a_column_changes_no_key() -> None:
    item = column_item(table_item("orders"), "total")
    assert Context(glossary(KD="Kunde")).part(item) == []
    assert Context(glossary(total="Sum")).part(item) != []
    assert Context(rules="Short.").part(item) != []
