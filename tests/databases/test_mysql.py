"""MySQL's kind against a real MariaDB: read, described, written, undone, byte for byte."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from amx_kimi.databases.base import (
    Comment,
    Reading,
    RefusedError,
    Selection,
    Source,
    TableGoneError,
)
from amx_kimi.databases.mysql.definitions import alter, column_definitions, without_comments
from amx_kimi.databases.mysql.statistics import facts_of_mysql
from amx_kimi.databases.opening import open_comments, open_source
from amx_kimi.errors import SourceError
from amx_kimi.types import Item
from tests.command import run

EVERY_ATTRIBUTE = """
CREATE TABLE kunden (
  knr int unsigned NOT NULL AUTO_INCREMENT COMMENT 'it''s \\\\ the number',
  st char(1) NOT NULL DEFAULT 'A' CHECK (st <> 'COMMENT ''q'''),
  seit timestamp(3) NOT NULL DEFAULT current_timestamp(3) ON UPDATE current_timestamp(3),
  nie datetime DEFAULT '0000-00-00 00:00:00',
  fest int GENERATED ALWAYS AS (year(nie)) STORED,
  doppelt int GENERATED ALWAYS AS (ort_id * 2) VIRTUAL COMMENT 'twice',
  ort_id int DEFAULT -1 COMMENT 'old',
  eig json DEFAULT '{"a": 1}',
  roh longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin CHECK (json_valid(roh)),
  art enum('it''s', 'b,c') COMMENT 'kind' CHECK (art <> 'c'),
  flags set('x', 'y') CHARACTER SET latin1 DEFAULT 'x,y',
  geheim varchar(5) INVISIBLE DEFAULT 'q' COMMENT 'hidden',
  bits bit(3) DEFAULT b'101',
  uid uuid DEFAULT uuid(),
  lang varchar(2000) COMPRESSED DEFAULT NULL,
  ende date DEFAULT (current_date() + interval 1 day),
  preis decimal(10,2) unsigned zerofill DEFAULT 1.50,
  `we``ird ( '%` int,
  `Größe` double,
  `select` bigint,
  PRIMARY KEY (knr), UNIQUE KEY u (st, ort_id), KEY k (seit),
  CONSTRAINT f FOREIGN KEY (ort_id) REFERENCES orte (id) ON DELETE SET NULL
) ENGINE=InnoDB AUTO_INCREMENT=77 DEFAULT CHARSET=utf8mb4 COMMENT='people''s'
"""
SHOP = (
    "CREATE TABLE orte (id int PRIMARY KEY, plz varchar(10) COMMENT 'written by people')",
    EVERY_ATTRIBUTE,
    "CREATE VIEW alle AS SELECT knr, st FROM kunden",
    "INSERT INTO orte VALUES (1, '10115'), (2, '20095'), (3, '20095')",
)


class Shop:
    """A database of this test's own on the server."""

    def __init__(self, server: str) -> None:
        self.name = f"t{secrets.token_hex(4)}"
        self.url = f"{server}/{self.name}"
        self._port = int(server.rpartition(":")[2])
        self.execute(f"CREATE DATABASE {self.name}", database="mysql")
        self.execute("SET sql_mode = ''", *SHOP)

    def execute(self, *statements: str, database: str = "") -> list[Any]:
        rows: list[Any] = []
        with pymysql.connect(
            host="127.0.0.1",
            port=self._port,
            user="root",
            database=database or self.name,
            autocommit=True,
            charset="utf8mb4",
        ) as connection:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)
                rows = list(cursor.fetchall())
        return rows

    def dump(self) -> str:
        place = ["-h127.0.0.1", f"-P{self._port}", "-uroot", self.name]
        done = subprocess.run(
            ["mariadb-dump", "--no-defaults", "--no-data", "--skip-dump-date", *place],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def comments(self) -> dict[str, str]:
        query = (
            "SELECT CONCAT(TABLE_NAME, '.', COLUMN_NAME), COLUMN_COMMENT FROM "
            "information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()"
        )
        return dict(self.execute(query))


@pytest.fixture
def shop(mariadb_url: str) -> Iterator[Shop]:
    made = Shop(mariadb_url)
    yield made
    made.execute(f"DROP DATABASE {made.name}")


def opened(url: str, reading: Reading | None = None) -> Source:
    return open_source(url, reading or Reading())


def inventory(url: str, selection: Selection | None = None) -> dict[str, Item]:
    source = opened(url)
    try:
        return {
            item.name.partition(".")[2]: item for item in source.items(selection or Selection())
        }
    finally:
        source.close()


@pytest.mark.usefixtures("profile")
def test_described_written_checked_and_undone_from_an_amx_profile(
    shop: Shop, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = make_url(shop.url)
    config = yaml.safe_load((home / "config.yml").read_text())
    config["db_profiles"] = {
        "shop": {
            "backend": "mysql",
            "host": url.host,
            "port": url.port,
            "user": "root",
            "database": shop.name,
            "ssl_disabled": True,
        }
    }
    config["active_db_profile"] = "shop"
    (home / "config.yml").write_text(yaml.safe_dump(config))
    before = shop.dump()
    run("run", "--db-profile", "shop", "--yes")
    run("apply", "last", "--unreviewed", "--yes", code=1)
    told = capsys.readouterr()
    assert "kunden: the server would copy all rows (fest)" in told.err
    assert "2 not stored by this database (views), 1 refused" in told.out
    comments = shop.comments()
    assert comments.pop("kunden.fest") == ""
    assert all(text for name, text in comments.items() if not name.startswith("alle."))
    assert comments["orte.plz"] == "written by people"
    after = shop.dump()
    assert after != before
    assert re.sub(r" COMMENT[ =]'(?:[^'\\]|\\.|'')*'", "", after) == re.sub(
        r" COMMENT[ =]'(?:[^'\\]|\\.|'')*'", "", before
    )
    run("check", shop.url, "--min-coverage", "80")
    run("apply", "last", "--undo", "--yes")
    assert shop.dump() == before


def test_the_inventory_tells_keys_views_and_every_column(shop: Shop) -> None:
    items = inventory(shop.url)
    assert [name for name, item in items.items() if not item.column] == ["alle", "kunden", "orte"]
    assert (items["alle"].kind, items["alle"].comment) == ("view", "")
    assert "select" in items["alle"].definition.lower()
    assert items["kunden"].comment == "people's"
    assert items["kunden"].details["keys"] == ["unique (st, ort_id)"]
    assert items["kunden.knr"].key_role == "pk"
    assert items["kunden.knr"].comment == "it's \\ the number"
    assert (items["kunden.ort_id"].key_role, items["kunden.ort_id"].fk) == (
        "fk",
        f"{shop.name}.orte.id",
    )
    assert items["kunden.doppelt"].details["generated"] == "`ort_id` * 2"
    assert not items["kunden.st"].nullable
    assert {"kunden.we`ird ( '%", "kunden.Größe", "kunden.select", "kunden.geheim"} <= set(items)


def test_without_a_database_all_of_the_servers_own_are_read(shop: Shop, mariadb_url: str) -> None:
    source = opened(mariadb_url)
    assert shop.name in source.schemas()
    assert not {"mysql", "sys", "information_schema", "performance_schema"} & set(source.schemas())
    assert (shop.name, "orte") in source.tables()
    source.close()
    with_schema = inventory(mariadb_url, Selection((shop.name,), ("orte",)))
    assert list(with_schema) == ["orte", "orte.id", "orte.plz"]


def test_names_that_differ_by_case_only(shop: Shop) -> None:
    shop.execute("CREATE TABLE Orte (a int COMMENT 'other')")
    items = inventory(shop.url)
    assert [items["Orte.a"].comment, items["orte.plz"].comment] == ["other", "written by people"]
    database = open_comments(shop.url)
    assert set(database.read([(shop.name, "Orte")])) == {(shop.name, "Orte")}
    database.close()


def test_statistics_come_from_the_catalog_and_rows_only_when_allowed(shop: Shop) -> None:
    table = inventory(shop.url)["orte"]
    source = opened(shop.url)
    assert "plz" not in source.profile(table, ["id", "plz"])
    source.close()
    shop.execute("ANALYZE TABLE orte PERSISTENT FOR ALL")
    source = opened(shop.url)
    facts = source.profile(table, ["id", "plz"])
    assert (facts["plz"].least, facts["plz"].greatest) == ("10115", "20095")
    source.close()
    shop.execute("DELETE FROM mysql.column_stats")
    source = opened(shop.url, Reading(data=True))
    assert source.profile(table, ["plz"])["plz"].values == (("20095", 2), ("10115", 1))
    shop.execute("DROP VIEW alle", "DROP TABLE kunden", "DROP TABLE orte")
    with pytest.raises(TableGoneError):
        source.profile(table, ["plz"])
    source.close()


def test_reading_cannot_write(shop: Shop) -> None:
    source: Any = opened(shop.url)
    with pytest.raises(SourceError, match="READ ONLY"):
        source.rows("UPDATE orte SET plz = 1")
    source.close()


def test_what_somebody_writes_meanwhile_is_kept(shop: Shop) -> None:
    database = open_comments(shop.url)
    wanted = [Comment("id", None, "Number."), Comment("plz", "another", "Postcode.")]
    assert database.write(shop.name, "orte", wanted) == [wanted[1]]
    assert shop.comments()["orte.plz"] == "written by people"
    assert shop.comments()["orte.id"] == "Number."
    database.close()


@pytest.mark.parametrize(
    "text", ["it's", "a\\b", "100 %", "zwei\nZeilen", "„Größe“", "';--", "漢字"]
)
def test_texts_arrive_as_they_are(shop: Shop, text: str) -> None:
    database = open_comments(shop.url)
    for column in ("", "id"):
        assert database.write(shop.name, "orte", [Comment(column, None, text)]) == []
    assert database.read([(shop.name, "orte")])[shop.name, "orte"].comments["id"] == text
    assert database.read([(shop.name, "orte")])[shop.name, "orte"].comments[""] == text
    database.close()


def test_no_table_is_copied(shop: Shop) -> None:
    database = open_comments(shop.url)
    wanted = [Comment(column, None, "New.") for column in ("fest", "st", "eig", "roh")]
    with pytest.raises(RefusedError, match=r"would copy all rows \(fest\)"):
        database.write(shop.name, "kunden", wanted)
    written = {name for name, text in shop.comments().items() if text == "New."}
    written.discard("alle.st")  # a view's column has the comment of its table's
    assert written == {"kunden.st", "kunden.eig", "kunden.roh"}
    database.close()


def test_what_cannot_be_stored_is_refused_and_the_rest_written(shop: Shop) -> None:
    database = open_comments(shop.url)
    wanted = [
        Comment("", None, "Places."),
        Comment("id", None, "smile 😀"),
        Comment("plz", "another", "Postcode."),
    ]
    with pytest.raises(RefusedError, match=r"beyond U\+FFFF .*\(id\)") as caught:
        database.write(shop.name, "orte", wanted)
    assert list(caught.value.columns) == ["id", "plz"]
    present = database.read([(shop.name, "orte")])[shop.name, "orte"].comments
    assert present == {"": "Places.", "id": None, "plz": "written by people"}
    with pytest.raises(RefusedError, match="no comments for views"):
        database.write(shop.name, "alle", [Comment("", None, "All.")])
    database.close()


UNUSUAL = {
    "partitions": "CREATE TABLE u (a int) PARTITION BY HASH (a) PARTITIONS 2",
    "a sequence": "CREATE TABLE u (a bigint DEFAULT nextval(numbers))",
    "versions": "CREATE TABLE u (a int) WITH SYSTEM VERSIONING",
    "JSON": "CREATE TABLE u (a json) DEFAULT CHARSET utf8mb4 COLLATE utf8mb4_bin",
    "MyISAM": "CREATE TABLE u (a int) ENGINE=MyISAM",
    "a question": "CREATE TABLE u (a int, b varchar(9) DEFAULT 'x?')",
}


@pytest.mark.parametrize("create", UNUSUAL.values(), ids=UNUSUAL)
def test_unusual_tables_are_written_and_undone(shop: Shop, create: str) -> None:
    shop.execute("CREATE SEQUENCE numbers", create)
    before = shop.dump()
    database = open_comments(shop.url)
    wanted = [Comment("", None, "New."), Comment("a", None, "New.")]
    assert database.write(shop.name, "u", wanted) == []
    assert shop.comments()["u.a"] == "New."
    assert database.write(shop.name, "u", [Comment(c.column, c.after, None) for c in wanted]) == []
    assert shop.dump() == before
    database.close()


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        ("a varchar(20) DEFAULT '😀 x'", r"does not tell all of the definition.*\(a\)"),
        ("a varchar(9) CHARACTER SET utf16 DEFAULT '😀'", r"does not tell all.*\(a\)"),
        ("a varbinary(10) DEFAULT x'fffe'", "bytes that are no text"),
    ],
)
def test_a_default_that_the_server_does_not_tell_stays(
    shop: Shop, definition: str, reason: str
) -> None:
    shop.execute(
        f"CREATE TABLE u ({definition}, b int) DEFAULT CHARSET utf8mb4",
        "INSERT INTO u (b) VALUES (1)",
    )
    database = open_comments(shop.url)
    with pytest.raises(RefusedError, match=reason):
        database.write(shop.name, "u", [Comment("a", None, "New."), Comment("b", None, "New.")])
    assert database.write(shop.name, "orte", [Comment("id", None, "Number.")]) == []
    database.close()
    shop.execute("INSERT INTO u (b) VALUES (2)")
    assert len(shop.execute("SELECT DISTINCT hex(a) FROM u")) == 1


def test_a_locked_table_is_waited_for_once(shop: Shop) -> None:
    database: Any = open_comments(shop.url)
    database._run("SET SESSION lock_wait_timeout = 1")
    with pymysql.connect(
        host="127.0.0.1", port=make_url(shop.url).port or 0, user="root", database=shop.name
    ) as other:
        other.cursor().execute("LOCK TABLES orte WRITE")
        with pytest.raises(RefusedError, match=r"^Lock wait timeout exceeded[^()]*$"):
            database.write(shop.name, "orte", [Comment("id", None, "x"), Comment("", None, "y")])
    database.close()


@pytest.mark.parametrize("text", ["password=SECRETpw\n", "[client\npassword=SECRETpw\n"])
def test_an_option_file_that_is_none_is_not_repeated(shop: Shop, home: Path, text: str) -> None:
    (home.parent / ".my.cnf").write_text(text)
    with pytest.raises(SourceError, match=r"\.my\.cnf is not an option file") as caught:
        opened(shop.url)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("password", ["pü", "p日", "a@b:c/d?e#f%"])
def test_passwords_in_every_script(shop: Shop, password: str) -> None:
    shop.execute(
        f"CREATE OR REPLACE USER u_{shop.name}@'127.0.0.1' IDENTIFIED BY '{password}'",
        f"GRANT SELECT ON {shop.name}.* TO u_{shop.name}@'127.0.0.1'",
    )
    url = make_url(shop.url).set(username=f"u_{shop.name}", password=password)
    assert "orte" in inventory(url.render_as_string(hide_password=False))


@pytest.mark.parametrize("option", ["foo=bar", "read_timeout=abc", "cursorclass=x"])
def test_an_option_that_the_driver_does_not_have(shop: Shop, option: str) -> None:
    with pytest.raises(SourceError, match="An option of the URL cannot be used"):
        opened(f"{shop.url}?{option}")


def test_without_the_right_the_server_says_so(shop: Shop) -> None:
    shop.execute(
        f"CREATE OR REPLACE USER reader@'127.0.0.1' IDENTIFIED BY 'pw-{shop.name}'",
        f"GRANT SELECT ON {shop.name}.orte TO reader@'127.0.0.1'",
    )
    url = make_url(shop.url).set(username="reader", password=f"pw-{shop.name}")
    text = url.render_as_string(hide_password=False)
    assert list(inventory(text)) == ["orte", "orte.id", "orte.plz"]
    database = open_comments(text)
    with pytest.raises(RefusedError, match="ALTER command denied"):
        database.write(shop.name, "orte", [Comment("id", None, "Number.")])
    database.close()
    with pytest.raises(SourceError, match="Access denied") as caught:
        opened(url.set(password="wrong-secret").render_as_string(hide_password=False))
    assert "wrong-secret" not in str(caught.value)


def test_the_password_of_mysqls_own_variable(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.execute(
        f"CREATE OR REPLACE USER other@'127.0.0.1' IDENTIFIED BY 'pw-{shop.name}'",
        f"GRANT SELECT ON {shop.name}.* TO other@'127.0.0.1'",
    )
    monkeypatch.setenv("MYSQL_PWD", f"pw-{shop.name}")
    url = make_url(shop.url).set(username="other").render_as_string()
    assert "orte" in inventory(url)
    assert os.environ["MYSQL_PWD"] not in opened(url).reopen


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
TEXTS = st.text(
    st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"], exclude_characters="\0"),
    max_size=40,
)


@given(NAMES, TEXTS, TEXTS, st.sampled_from(["int(11)", "varchar(5) DEFAULT 'a,(b'' COMMENT'"]))
def test_a_comment_is_exchanged_and_nothing_else(name: str, old: str, new: str, type_: str) -> None:
    """The definition that a server would tell afterwards is the one from before."""
    before = _table(name, f"{type_} COMMENT {_literal(old)}" if old else type_)
    statement = alter("`t`", before, {name: new})
    definition = f"{type_} COMMENT {_literal(new)}"
    assert statement == (
        f"ALTER TABLE `t` MODIFY COLUMN {_name(name)} {definition}, ALGORITHM = INPLACE"
    )
    after = _table(name, definition)
    assert column_definitions(after) == {name: definition}
    assert without_comments(after) == without_comments(before)


def _table(name: str, definition: str) -> str:
    return f"CREATE TABLE `t` (\n  {_name(name)} {definition},\n  KEY `k` (`a`)\n) ENGINE=InnoDB"


def _name(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def test_histograms_of_mysql() -> None:
    # Shapes of MySQL 8.4's reference manual, "Optimizer Statistics".
    singleton = {
        "buckets": [["base64:type254:QQ==", 0.75], ["base64:type254:Qg==", 1.0]],
        "null-values": 0.2,
        "histogram-type": "singleton",
    }
    facts = facts_of_mysql({"histogram": json.dumps(singleton)}, 100)
    assert (facts.nulls, facts.distinct, facts.least, facts.greatest) == (20, 2, "A", "B")
    assert facts.values == (("A", 75), ("B", 25))
    equi = {
        "buckets": [[1, 9, 0.5, 9], [10, 99, 1.0, 40]],
        "null-values": 0.0,
        "histogram-type": "equi-height",
    }
    facts = facts_of_mysql({"histogram": equi}, 100)
    assert (facts.distinct, facts.least, facts.greatest, facts.values) == (49, "1", "99", ())
    assert facts_of_mysql({"histogram": "no json"}, 5).values == ()
