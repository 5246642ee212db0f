"""Snowflake's kind against fakesnow, through Snowflake's own driver and a real socket.

What fakesnow cannot do (keys, names that differ by case only, refused logins and statements) is
answered with rows and errors as Snowflake's documentation shows them (November 2026): the replays.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlglot
import yaml
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import make_url
from sqlglot import exp

from amx_kimi.config import DatabaseProfile
from amx_kimi.databases import registry
from amx_kimi.databases.base import (
    Comment,
    Comments,
    Reading,
    RefusedError,
    Selection,
    Source,
    TableGoneError,
)
from amx_kimi.databases.dialect import Place, statement
from amx_kimi.databases.opening import (
    cost_of,
    database_url,
    dialect_of,
    in_catalog,
    open_comments,
    open_source,
)
from amx_kimi.databases.snowflake.connect import identity, literal, place_of
from amx_kimi.errors import SourceError
from amx_kimi.types import Item
from tests.command import run
from tests.warehouses.snowflake_server import Snowflake, snowflake, snowflake_port

__all__ = ["snowflake", "snowflake_port"]

AGREED = Reading(agreed=True)
SHOP = (
    """CREATE TABLE {d}.SHOP.KUNDEN (KNR NUMBER(10,0) PRIMARY KEY,
    ST VARCHAR(1) NOT NULL, SEIT TIMESTAMP_NTZ, EIG VARIANT, "select" NUMBER(10,2),
    "Größe in % : ? '" FLOAT, "we""ird" BOOLEAN, "straße" DATE)""",
    'CREATE TABLE {d}.SHOP."100%: order?" (A NUMBER, "b" VARCHAR)',
    "COMMENT ON COLUMN {d}.SHOP.KUNDEN.KNR IS 'it''s written by people'",
    "CREATE VIEW {d}.SHOP.ALLE AS SELECT KNR, ST FROM {d}.SHOP.KUNDEN",
    "INSERT INTO {d}.SHOP.KUNDEN (KNR, ST) VALUES (1, 'A'), (2, 'B'), (3, 'B')",
)


@pytest.fixture(autouse=True)
def only_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver asks no cloud where it runs, and finds no password."""
    monkeypatch.setenv("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")
    for name in ("SNOWFLAKE_PASSWORD", "SNOWSQL_PWD", "PRIVATE_KEY_PASSPHRASE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def shop(snowflake: Snowflake) -> Snowflake:
    snowflake.execute(*(one.replace("{d}", snowflake.database) for one in SHOP))
    return snowflake


def inventory(url: str, selection: Selection | None = None) -> dict[str, Item]:
    source = open_source(url, AGREED)
    try:
        return {
            item.name.partition(".")[2]: item for item in source.items(selection or Selection())
        }
    finally:
        source.close()


def comments_of(shop: Snowflake) -> dict[tuple[str, str], dict[str, str | None]]:
    database = open_comments(shop.url)
    try:
        found = database.read([("SHOP", one) for one in ("KUNDEN", "100%: order?", "ALLE")])
        shop.statements()
        return {place: dict(now.comments) for place, now in found.items()}
    finally:
        database.close()


def test_described_reviewed_written_checked_and_undone(
    shop: Snowflake,
    profile: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    del profile
    monkeypatch.setenv("SNOWFLAKE_PASSWORD", "secret-pw")  # the journal keeps none
    before = comments_of(shop)
    run("run", shop.url, "--yes")
    run("show", "last")
    assert "100%: order?" in capsys.readouterr().out
    run("review", "last", "--accept", "low")
    shop.statements()
    run("apply", "last", "--yes")
    arrived = shop.statements()
    allowed = re.compile(r"SHOW |COMMENT ON |ALTER (VIEW|SESSION) |ROLLBACK|COMMIT", re.IGNORECASE)
    assert arrived
    assert [one for one in arrived if not allowed.match(one)] == []  # none needs a warehouse
    after = comments_of(shop)
    assert after["SHOP", "KUNDEN"]["KNR"] == "it's written by people"
    missing = [(place, one) for place, found in after.items() for one in found if not found[one]]
    assert missing == []
    run("check", shop.url, "--yes", "--min-coverage", "100")
    run("apply", "last", "--undo", "--yes")
    assert comments_of(shop) == before
    run("check", shop.url, "--yes", "--min-coverage", "100", code=1)


def test_only_what_changed_is_described_again(
    shop: Snowflake, profile: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run("run", shop.url, "--yes")
    shop.execute(f"ALTER TABLE {shop.database}.SHOP.KUNDEN ADD COLUMN NEU VARCHAR")
    capsys.readouterr()
    asked = len(profile.chats)
    run("run", shop.url, "--yes", "--only-changed", "--json")
    assert json.loads(capsys.readouterr().out)["described"] == 1
    assert len(profile.chats) == asked + 1


@pytest.mark.usefixtures("profile")
def test_from_an_amx_profile(shop: Snowflake, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one field that AMX does not have leads to the emulator."""
    kinds = [
        replace(kind, fields={**kind.fields, "server_url": "server_url"})
        if kind.name == "snowflake"
        else kind
        for kind in registry.KINDS
    ]
    monkeypatch.setattr(registry, "KINDS", kinds)
    config = yaml.safe_load((home / "config.yml").read_text())
    config["db_profiles"] = {
        "wh": {
            "backend": "snowflake",
            "account": "https://Org-Acc.snowflakecomputing.com/console",
            "host": "localhost",
            "port": 5432,
            "user": "reader",
            "password": "secret-pw",
            "database": shop.database.lower(),
            "warehouse": "WH",
            "role": "ANALYST",
            "insecure_mode": False,
            "ocsp_fail_open": True,
            "server_url": f"http://127.0.0.1:{shop.port}",
        }
    }
    (home / "config.yml").write_text(yaml.safe_dump(config))
    run("run", "--db-profile", "wh", "--yes", "--schema", "SHOP")
    run("apply", "last", "--unreviewed", "--yes")
    assert all(comments_of(shop)["SHOP", "ALLE"].values())
    run("apply", "last", "--undo", "--yes")
    assert not any(comments_of(shop)["SHOP", "ALLE"].values())


def test_nothing_is_read_before_a_person_agreed(
    shop: Snowflake, profile: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run("run", shop.url, "--profile-data", code=2)
    told = capsys.readouterr().err
    assert "runs on the warehouse WH" in told
    assert "rows of each table are sampled" in told
    assert "at least 60 seconds" in told
    assert "--yes" in told
    assert shop.statements() == []
    assert profile.chats == []
    bare = cost_of("snowflake://u@acc/DB", Reading())
    assert "the user's default warehouse" in bare
    assert "sampled" not in bare


def test_masked_values_are_all_that_leaves(shop: Snowflake, profile: Any) -> None:
    shop.execute(
        f"CREATE TABLE {shop.database}.SHOP.LEUTE (MAIL VARCHAR, DOC VARIANT)",
        f"INSERT INTO {shop.database}.SHOP.LEUTE SELECT 'anna.muster@example.org', "
        'PARSE_JSON(\'{"iban": "DE89370400440532013000", "status": "new"}\')',
    )
    run("run", shop.url, "--yes", "--profile-data", "--table", "LEUTE")
    sent = json.dumps([chat.body for chat in profile.chats], ensure_ascii=False)
    assert "anna.muster" not in sent
    assert "DE89370400440532013000" not in sent
    assert "LEUTE" in sent


def test_the_inventory(shop: Snowflake) -> None:
    items = inventory(shop.url)
    tables = [name for name, item in items.items() if not item.column]
    assert sorted(tables) == ["100%: order?", "ALLE", "KUNDEN"]
    assert items["ALLE"].kind == "view"
    assert "select" in items["ALLE"].definition.lower()
    assert items["KUNDEN"].rows == 3
    assert items["KUNDEN.KNR"].comment == "it's written by people"
    assert items["KUNDEN.KNR"].type == "NUMBER(10,0)"
    assert items["KUNDEN.ST"].type == "VARCHAR(1)"
    assert not items["KUNDEN.ST"].nullable
    assert items["KUNDEN.select"].type == "NUMBER(10,2)"
    assert {"KUNDEN.Größe in % : ? '", 'KUNDEN.we"ird', "KUNDEN.straße"} <= set(items)
    positions = [item.position for name, item in items.items() if name.startswith("KUNDEN.")]
    assert positions == list(range(1, 9))


def test_a_schema_of_the_url_is_the_only_one_that_is_read(shop: Snowflake) -> None:
    shop.execute(
        f"CREATE SCHEMA {shop.database}.OTHER", f"CREATE TABLE {shop.database}.OTHER.X (A INT)"
    )
    source = open_source(shop.url, AGREED)
    assert source.schemas() == ["OTHER", "SHOP"]
    assert ("OTHER", "X") in source.tables()
    source.close()
    only = shop.url.replace(f"/{shop.database}?", f"/{shop.database}/other?")
    assert list(inventory(only)) == ["X", "X.A"]
    assert identity(make_url(only)) == identity(make_url(shop.url))
    assert list(inventory(shop.url, Selection(("OTHER",)))) == ["X", "X.A"]


def test_as_many_statements_for_many_tables_as_for_few(shop: Snowflake) -> None:
    inventory(shop.url)
    few = shop.statements()
    assert len([one for one in few if one.upper() != "ROLLBACK"]) <= 12
    create = "CREATE TABLE {}.SHOP.T{} (A INT, B VARCHAR(3))".format
    shop.execute(*(create(shop.database, number) for number in range(60)))
    assert len(inventory(shop.url)) > 180
    assert len(shop.statements()) == len(few)
    assert not [one for one in few if "SYSTEM$" in one or "CURRENT_" in one]


def test_without_a_database_the_catalogs_are_named(shop: Snowflake) -> None:
    rows = [["2026-11-01", name] for name in (shop.database, "lower")]
    shop.replay({"statement": "^SHOW DATABASES", "columns": ["created_on", "name"], "rows": rows})
    bare = shop.url.replace(f"/{shop.database}?", "?")
    for opened in (lambda: open_source(bare, AGREED), lambda: open_comments(bare)):
        with pytest.raises(SourceError, match="names no database") as caught:
            opened()
        assert "--catalog NAME" in caught.value.remedy
        assert shop.database in caught.value.remedy
        assert '"lower"' in caught.value.remedy
    there = in_catalog(bare, shop.database.lower())
    source = open_source(there, AGREED)
    assert source.identity == f"snowflake://org-acc/{shop.database}"
    assert ("SHOP", "KUNDEN") in source.tables()
    source.close()


PRIMARY = (
    "created_on database_name schema_name table_name column_name key_sequence "
    "constraint_name rely comment"
).split()
IMPORTED = (
    "created_on pk_database_name pk_schema_name pk_table_name pk_column_name "
    "fk_database_name fk_schema_name fk_table_name fk_column_name key_sequence update_rule "
    "delete_rule fk_name pk_name deferrability rely comment"
).split()


def primary(table: str, column: str, sequence: int, name: str) -> list[Any]:
    head = ["2026-11-01 10:00:00.000 -0700", "D", "SHOP", table]
    return [*head, column, str(sequence), name, "false", None]


def imported(column: str, target: str, sequence: int, name: str) -> list[Any]:
    head = ["2026-11-01 10:00:00.000 -0700", "D", "SHOP", "100%: order?", target, "D", "SHOP"]
    rest = ["KUNDEN", column, str(sequence), "NO ACTION", "NO ACTION", name, "SYS_PK"]
    return [*head, *rest, "NOT DEFERRABLE", "false", None]


def test_keys_as_snowflake_tells_them(shop: Snowflake) -> None:
    """A replay of "SHOW PRIMARY KEYS", "SHOW UNIQUE KEYS" and "SHOW IMPORTED KEYS"."""
    shop.replay(
        {
            "statement": "^SHOW PRIMARY KEYS IN SCHEMA",
            "columns": PRIMARY,
            "rows": [
                primary("KUNDEN", "ST", 2, "SYS_1"),
                primary("KUNDEN", "KNR", 1, "SYS_1"),
                primary("100%: order?", "A", 1, "SYS_2"),
            ],
        },
        {
            "statement": "^SHOW UNIQUE KEYS IN SCHEMA",
            "columns": PRIMARY,
            "rows": [primary("KUNDEN", "straße", 1, "U")],
        },
        {
            "statement": "^SHOW IMPORTED KEYS IN SCHEMA",
            "columns": IMPORTED,
            "rows": [imported("select", "A", 1, "F1"), imported("SEIT", "b", 1, "F2")],
        },
    )
    items = inventory(shop.url)
    assert items["KUNDEN"].details["keys"] == ["primary (KNR, ST)"]
    assert items["KUNDEN.KNR"].key_role == items["100%: order?.A"].key_role == "pk"
    assert items["KUNDEN.straße"].key_role == "unique"
    assert (items["KUNDEN.select"].key_role, items["KUNDEN.select"].fk) == (
        "fk",
        "SHOP.100%: order?.A",
    )
    assert items["KUNDEN.SEIT"].fk == "SHOP.100%: order?.b"


def test_keys_that_are_not_told_are_a_note(shop: Snowflake) -> None:
    rows = [primary("KUNDEN", "KNR", 1, "SYS_1")] * 10_000
    shop.replay(
        {"statement": "^SHOW PRIMARY KEYS", "columns": PRIMARY, "rows": rows},
        {
            "statement": "^SHOW UNIQUE KEYS",
            "code": "003001",
            "message": "SQL access control error:\nInsufficient privileges to operate on schema",
        },
    )
    source = open_source(shop.url, AGREED)
    assert any(item.key_role == "pk" for item in source.items(Selection()))
    notes = " ".join(source.notes)
    source.close()
    assert "at most 10,000 rows of primary keys" in notes
    assert "Unique keys are unknown" in notes
    assert "Insufficient privileges" in notes
    assert "Imported keys are unknown" in notes


TABLES = "created_on name kind database_name schema_name comment is_dynamic is_iceberg".split()
COLUMNS = (
    "table_name schema_name column_name data_type null? default kind expression comment "
    "database_name autoincrement"
).split()


def shown_table(name: str, comment: str, *, dynamic: str = "N", iceberg: str = "N") -> list[Any]:
    return ["2026-11-01", name, "TABLE", "D", "SHOP", comment, dynamic, iceberg]


def shown_column(table: str, name: str, comment: str) -> list[Any]:
    told = '{"type":"FIXED","precision":38,"scale":0,"nullable":true}'
    return [table, "SHOP", name, told, "true", "", "COLUMN", "", comment, "D", ""]


def test_names_that_differ_by_case_only(shop: Snowflake) -> None:
    """A replay: a pattern of SHOW TABLES ignores case, and `_` matches every character."""
    both = [shown_table("O_1", "upper"), shown_table("o_1", "lower"), shown_table("OX1", "other")]
    rows = [shown_column("o_1", "A", "upper"), shown_column("o_1", "a", "lower")]
    shop.replay(
        {"statement": "^SHOW TABLES LIKE '[oO]_1' IN SCHEMA", "columns": TABLES, "rows": both},
        {"statement": r'^SHOW COLUMNS IN TABLE .*\."o_1"$', "columns": COLUMNS, "rows": rows},
        {"statement": r'^SHOW COLUMNS IN TABLE .*\."O_1"$', "columns": COLUMNS, "rows": []},
        {"statement": "^COMMENT ON", "columns": ["status"], "rows": [["done"]]},
    )
    database = open_comments(shop.url)
    there = database.read([("SHOP", "o_1"), ("SHOP", "O_1")])
    assert there["SHOP", "o_1"].comments == {"": "lower", "A": "upper", "a": "lower"}
    assert there["SHOP", "O_1"].comments == {"": "upper"}
    shop.statements()
    with pytest.raises(RefusedError, match="stores another text"):
        database.write("SHOP", "o_1", [Comment("a", "lower", "New.")])
    assert f'COMMENT ON COLUMN "{shop.database}"."SHOP"."o_1"."a" IS \'New.\'' in shop.statements()
    database.close()


@pytest.mark.parametrize(
    ("flags", "written"),
    [
        (
            {"dynamic": "Y"},
            ["COMMENT ON DYNAMIC TABLE {t} IS 'N'", "COMMENT ON COLUMN {t}.\"A\" IS 'N'"],
        ),
        (
            {"iceberg": "Y"},
            [
                "ALTER ICEBERG TABLE {t} SET COMMENT = 'N'",
                "ALTER ICEBERG TABLE {t} ALTER COLUMN \"A\" COMMENT 'N'",
            ],
        ),
    ],
)
def test_special_tables_have_statements_of_their_own(
    shop: Snowflake, flags: dict[str, str], written: list[str]
) -> None:
    """A replay of "SHOW TABLES" with `is_dynamic` and `is_iceberg`."""
    shop.replay(
        {"statement": "^SHOW TABLES", "columns": TABLES, "rows": [shown_table("T", "", **flags)]},
        {"statement": "^SHOW COL", "columns": COLUMNS, "rows": [shown_column("T", "A", "")]},
        {"statement": "^(COMMENT|ALTER)", "columns": ["status"], "rows": [["done"]]},
    )
    database = open_comments(shop.url)
    shop.statements()
    with pytest.raises(RefusedError):  # the replay stores nothing
        database.write("SHOP", "T", [Comment("", None, "N"), Comment("A", None, "N")])
    place = f'"{shop.database}"."SHOP"."T"'
    arrived = [one for one in shop.statements() if re.match("COMMENT |ALTER ", one)]
    assert arrived == [one.replace("{t}", place) for one in written]
    database.close()


def test_a_refused_column_is_named_and_the_others_are_written(shop: Snowflake) -> None:
    shop.replay(
        {
            "statement": 'COMMENT ON COLUMN .*"ST"',
            "code": "003001",
            "message": "SQL access control error:\nInsufficient privileges to operate on table",
        }
    )
    database = open_comments(shop.url)
    wanted = [Comment("ST", None, "Status."), Comment("SEIT", None, "Since.")]
    with pytest.raises(RefusedError, match=r"Insufficient privileges .*\(ST\)") as caught:
        database.write("SHOP", "KUNDEN", wanted)
    assert list(caught.value.columns) == ["ST"]
    there = database.read([("SHOP", "KUNDEN"), ("SHOP", "GONE"), ("GONE", "X")])
    assert list(there) == [("SHOP", "KUNDEN")]
    assert there["SHOP", "KUNDEN"].comments["SEIT"] == "Since."
    assert there["SHOP", "KUNDEN"].comments["ST"] is None
    changed = [Comment("KNR", "another", "Number."), Comment("SEIT", "Since.", None)]
    assert database.write("SHOP", "KUNDEN", changed) == changed[:1]
    after = database.read([("SHOP", "KUNDEN")])["SHOP", "KUNDEN"].comments
    assert (after["KNR"], after["SEIT"]) == ("it's written by people", None)
    database.close()


TEXTS_AS_THEY_ARE = (
    *("it's", "a\\b\\", "100 % :x ?", "zwei\nZeilen\t", "„Größe“ 😀", "';--", "漢字", "$$"),
    None,
)


@pytest.mark.parametrize(
    ("table", "column"), [("KUNDEN", ""), ("KUNDEN", 'we"ird'), ("ALLE", ""), ("ALLE", "ST")]
)
def test_texts_arrive_as_they_are(shop: Snowflake, table: str, column: str) -> None:
    database = open_comments(shop.url)
    before = None
    for text in TEXTS_AS_THEY_ARE:
        assert database.write("SHOP", table, [Comment(column, before, text)]) == []
        assert database.read([("SHOP", table)])["SHOP", table].comments[column] == text
        before = text
    database.close()


def opened_to_sample(shop: Snowflake) -> Source:
    return open_source(shop.url, Reading(data=True, agreed=True))


def test_rows_only_when_allowed_and_never_of_views(shop: Snowflake) -> None:
    items = inventory(shop.url)
    source = open_source(shop.url, AGREED)
    shop.statements()
    assert source.profile(items["KUNDEN"], ["ST"]) == {}
    assert not [one for one in shop.statements() if "SAMPLE" in one]
    source.close()
    source = opened_to_sample(shop)
    facts = source.profile(items["KUNDEN"], ["ST", "Größe in % : ? '", "EIG"])
    assert facts["ST"].values == (("B", 2), ("A", 1))
    assert facts["EIG"].nulls == 3
    assert source.profile(items["ALLE"], ["ST"]) == {}
    sampled = [one for one in shop.statements() if "KUNDEN" in one and "SAMPLE" in one]
    assert len(sampled) == 1
    assert sampled[0].endswith("SAMPLE (1001 ROWS)")
    shop.execute(f"DROP TABLE {shop.database}.SHOP.KUNDEN")
    with pytest.raises(TableGoneError):
        source.profile(items["KUNDEN"], ["ST"])
    source.close()


def test_a_refused_or_late_sample_is_a_note(shop: Snowflake) -> None:
    items = inventory(shop.url)
    shop.replay(
        {
            "statement": "SAMPLE",
            "code": "000630",
            "message": "Statement reached its statement or warehouse timeout of 120 second(s) and "
            "was canceled.",
        }
    )
    source = opened_to_sample(shop)
    assert source.profile(items["KUNDEN"], ["ST"]) == {}
    assert "SHOP.KUNDEN was described without statistics" in " ".join(source.notes)
    source.close()


# Snowflake's words, from its pages on logins, network policies, MFA, warehouses and errors.
REFUSED_LOGINS = [
    ("390100", "Incorrect username or password was specified.", "SNOWFLAKE_PASSWORD"),
    (
        "390422",
        "Incoming request with IP/Token 1.2.3.4 is not allowed to access Snowflake.",
        "network policy",
    ),
    (
        "390197",
        "Multi-factor authentication is required for this account.",
        "authenticator=username_password_mfa",
    ),
    ("390144", "JWT token is invalid.", "RSA_PUBLIC_KEY"),
    ("390318", "OAuth access token expired.", "new token"),
    (
        "390189",
        "Role 'X' specified in the connect string does not exist or not authorized.",
        "?role=NAME",
    ),
]
REFUSED_STATEMENTS = [
    ("000606", "No active warehouse selected in the current session.", "?warehouse=NAME"),
    (
        "090073",
        "Warehouse 'WH' cannot be resumed because resource monitor 'M' has exceeded its quota.",
        "raise its quota",
    ),
    (
        "002043",
        "SQL compilation error:\nObject does not exist, or operation cannot be performed.",
        "Check the database's name",
    ),
    (
        "002003",
        "SQL compilation error:\nDatabase 'D' does not exist or not authorized.",
        "Check the database's name",
    ),
    ("090030", "Information schema query returned too much data.", "--schema"),
    (
        "003001",
        "SQL access control error:\nInsufficient privileges to operate on database 'D'",
        "USAGE on database",
    ),
]


@pytest.mark.parametrize(("code", "words", "remedy"), REFUSED_LOGINS)
def test_a_refused_login_is_explained(
    snowflake: Snowflake, code: str, words: str, remedy: str
) -> None:
    snowflake.replay({"statement": "^LOGIN$", "code": code, "message": words})
    for opened in (
        lambda: open_source(snowflake.url, AGREED),
        lambda: open_comments(snowflake.url),
    ):
        with pytest.raises(SourceError, match=re.escape(words.rstrip("."))) as caught:
            opened()
        assert remedy in caught.value.remedy
        assert "secret-pw" not in f"{caught.value} {caught.value.remedy}"


@pytest.mark.parametrize(("code", "words", "remedy"), REFUSED_STATEMENTS)
def test_a_refused_statement_is_explained(
    snowflake: Snowflake, code: str, words: str, remedy: str
) -> None:
    snowflake.replay({"statement": "INFORMATION_SCHEMA", "code": code, "message": words})
    source = open_source(snowflake.url, AGREED)
    with pytest.raises(SourceError, match="The catalog cannot be read") as caught:
        source.schemas()
    source.close()
    assert remedy in caught.value.remedy
    assert "\n" not in caught.value.message


def test_where_the_password_comes_from(
    snowflake: Snowflake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = make_url(snowflake.url.replace(":secret-pw", ""))
    with pytest.raises(SourceError, match="no password supplied") as caught:
        open_source(url, AGREED)
    assert "SNOWFLAKE_PASSWORD" in caught.value.remedy
    monkeypatch.setenv("SNOWFLAKE_PASSWORD", "from-the-environment")
    source = open_source(url, AGREED)
    assert source.schemas() == ["SHOP"]
    assert "from-the-environment" not in source.reopen
    source.close()
    browser = url.update_query_dict({"authenticator": "externalbrowser"})
    with pytest.raises(SourceError, match="this is no terminal"):
        open_source(browser, AGREED)
    assert capsys.readouterr().err == ""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # driver 5 has another name for it
def test_no_secret_is_kept_in_what_opens_it_again(snowflake: Snowflake) -> None:
    secrets = {
        "token": "TOKEN-SECRET",
        "passcode": "123456",
        "private_key_file_pwd": "PHRASE-SECRET",
    }
    url = make_url(snowflake.url).update_query_dict({"authenticator": "oauth", **secrets})
    source = open_source(url, AGREED)
    kept = f"{snowflake.url}&authenticator=oauth".replace(":secret-pw", "")
    assert make_url(source.reopen) == make_url(kept)
    assert source.identity == f"snowflake://org-acc/{snowflake.database}"
    source.close()


@pytest.mark.parametrize("option", ["crl_cache_dir=/tmp/x", "login_timeout=abc"])
def test_an_option_that_is_not_usable(snowflake: Snowflake, option: str) -> None:
    with pytest.raises(SourceError, match=r"An option of the URL cannot be used|cannot be opened"):
        open_source(f"{snowflake.url}&{option}", AGREED)


def test_a_private_key_that_is_not_there(snowflake: Snowflake) -> None:
    url = make_url(f"{snowflake.url}&private_key_file=/nowhere/key.p8")
    with pytest.raises(SourceError, match="cannot be opened") as caught:
        open_source(url, AGREED)
    assert "private_key_file" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("snowflake://u@a/sales/public", ("SALES", "PUBLIC")),
        ("snowflake://u@a/%22sales%22/%22a/b%22%22c%22", ("sales", 'a/b"c')),
        ("snowflake://u@a/my%20db", ("my db", "")),
        ("snowflake://u@a", ("", "")),
        ("snowflake://u@a/Größe", ("Größe", "")),
    ],
)
def test_the_database_and_schema_of_a_url(text: str, place: tuple[str, str]) -> None:
    assert place_of(make_url(text)) == place


@pytest.mark.parametrize(
    "account",
    ["org-acc", "ORG-ACC.snowflakecomputing.com", "https://org-acc.snowflakecomputing.com/x"],
)
def test_the_account_however_it_was_pasted(account: str) -> None:
    fields = {"account": account, "user": "u", "database": "db", "port": "5432", "role": "R"}
    url = database_url(DatabaseProfile("p", "snowflake", fields))
    assert identity(url) == "snowflake://org-acc/DB"
    assert url.query == {"role": "R"}


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


@given(TEXTS)
def test_a_literal_is_read_back_as_the_text(text: str) -> None:
    found = sqlglot.parse_one(f"SELECT {literal(text)}", read="snowflake").expressions[0]
    assert isinstance(found, exp.Literal)
    assert found.this == text


@pytest.mark.parametrize("kind", ["table", "view", "materialized view", "dynamic table"])
@given(NAMES, NAMES, TEXTS)
def test_statements_name_what_they_comment(kind: str, table: str, column: str, text: str) -> None:
    """sqlglot reads the same names and texts out of them."""
    exact = replace(dialect_of("snowflake"), upper=False)
    for place in (Place("s x", table, "", kind), Place("s x", table, column, kind)):
        written = statement(exact, place, text).removesuffix(";")
        tokens = {one.text for one in sqlglot.tokenize(written, read="snowflake")}
        assert {"s x", table, place.column or table, text} <= tokens


def test_the_protocols_are_kept(shop: Snowflake) -> None:
    source: Source = open_source(shop.url, AGREED)
    database: Comments = open_comments(shop.url)
    assert source.identity == database.identity
    assert "No warehouse" in database.caution
    assert database.read([]) == {}
    source.close()
    database.close()
