"""Oracle's kind against a replayed data dictionary (`oracle_server`): read, described, written,
checked, undone."""

from __future__ import annotations

import struct
import time
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlglot
import yaml
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

pytest.importorskip("oracledb")

import oracledb

from amx_kimi.databases.base import (
    Comment,
    Reading,
    RefusedError,
    Selection,
    TableGoneError,
)
from amx_kimi.databases.opening import open_comments, open_source
from amx_kimi.databases.oracle.facts import decoded, facts_of, is_sampled, sampled, spelled
from amx_kimi.errors import SourceError
from amx_kimi.types import Item
from tests.command import run
from tests.databases.oracle_server import Dictionary, oracle_error

ODD = "we'ird [(] :x ? 100 %"
URL = "oracle://reader:Secret-9@ora:1521/?service_name=XEPDB1"


@pytest.fixture
def dictionary(monkeypatch: pytest.MonkeyPatch) -> Dictionary:
    made = Dictionary()
    fill(made)
    monkeypatch.setattr(oracledb, "connect", made.connect)
    return made


def fill(made: Dictionary) -> None:
    made.table(
        "ERP",
        "ORTE",
        {
            "ID": "NUMBER(10) not null identity pk",
            "PLZ": "VARCHAR2(10)",
            "SYS_NC1$": "RAW(8) hidden",
        },
        rows=14,
        comment="written by people",
    )
    made.table(
        "ERP",
        "KUNDEN",
        {
            "KNR": "NUMBER(12) not null pk",
            "ORT": "NUMBER(10)",
            "select": "NUMBER(18,2)",
            "Größe": "BINARY_DOUBLE",
            ODD: "VARCHAR2(50) char",
            "DOPPELT": "NUMBER virtual",
            "SEIT": "DATE",
            "BILD": "BLOB",
        },
        rows=50_000,
    )
    made.key("ERP", "KUNDEN", "FK_ORT", "R", "ORT", refers="PK_ORTE")
    made.key("ERP", "KUNDEN", "UK", "U", "ORT", "SEIT")
    made.table("ERP", "kunden", {"a": "CHAR(1)"})
    made.table("ERP", "V_ALLE", {"KNR": "NUMBER"}, kind="VIEW", text="SELECT knr FROM kunden")
    made.table(
        "ERP", "MV", {"N": "NUMBER"}, kind="MATERIALIZED VIEW", rows=3, text="SELECT 1 n FROM dual"
    )
    made.table("ERP", "EXTERN", {"A": "NUMBER"})
    made.insert("external_tables", "ERP", "EXTERN")
    made.table("ERP", "BIN$abc==$0", {"A": "NUMBER"})
    made.rows("UPDATE all_tables SET dropped = 'YES' WHERE table_name LIKE 'BIN$%'")
    made.table("ERP", "MLOG$_ORTE", {"A": "NUMBER"})
    made.insert("mview_logs", "ERP", "MLOG$_ORTE")
    made.insert("part_tables", "ERP", "KUNDEN", 12)
    made.insert("tab_col_statistics", "ERP", "ORTE", "PLZ", 3, 2, b"10115", b"20095", "FREQUENCY")
    made.insert("tab_col_statistics", "ERP", "ORTE", "ID", 14, 0, b"\xc1\x02", b"\xc1\x0f", "NONE")
    for number, value in ((1, "10115"), (3, "20095"), (6, "50667")):
        made.insert("tab_histograms", "ERP", "ORTE", "PLZ", number, 2.5e35, value)


def inventory(selection: Selection | None = None) -> dict[str, Item]:
    source = open_source(URL)
    try:
        return {item.name: item for item in source.items(selection or Selection())}
    finally:
        source.close()


@pytest.mark.usefixtures("profile")
def test_described_written_checked_and_undone_from_an_amx_profile(
    dictionary: Dictionary, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = yaml.safe_load((home / "config.yml").read_text())
    config["db_profiles"] = {
        "erp": {
            "backend": "oracle",
            "host": "ora",
            "port": 5432,  # AMX's default
            "user": "reader",
            "password": dictionary.password,
            "database": "",
            "service_name": "XEPDB1",
        }
    }
    (home / "config.yml").write_text(yaml.safe_dump(config))
    before = dictionary.comments()
    run("run", "--db-profile", "erp", "--yes")
    assert "SERVICE_NAME=XEPDB1" in dictionary.logins[-1]["dsn"]
    assert "PORT=1521" in dictionary.logins[-1]["dsn"]
    run("show", "last")
    run("apply", "last", "--unreviewed", "--yes")
    after = dictionary.comments()
    assert after["ERP.ORTE"] == "written by people"
    assert {f"ERP.KUNDEN.{ODD}", "ERP.kunden", "ERP.kunden.a", "ERP.MV (view)"} <= set(after)
    assert not {"ERP.BIN$abc==$0", "ERP.MLOG$_ORTE", "ERP.ORTE.SYS_NC1$"} & set(after)
    run("check", URL, "--min-coverage", "100")
    run("apply", "last", "--undo", "--yes")
    assert dictionary.comments() == before
    run("run", URL, "--only-changed", "--yes")
    told = capsys.readouterr()
    assert "Oracle commits each comment at once" in told.out + told.err
    assert "Secret-9" not in told.out + told.err


@pytest.mark.usefixtures("dictionary")
def test_the_inventory_tells_keys_types_views_and_details() -> None:
    items = inventory()
    assert sorted(name for name, item in items.items() if not item.column) == [
        "ERP.EXTERN",
        "ERP.KUNDEN",
        "ERP.MV",
        "ERP.ORTE",
        "ERP.V_ALLE",
        "ERP.kunden",
    ]
    assert (items["ERP.ORTE"].comment, items["ERP.ORTE"].rows) == ("written by people", 14)
    assert items["ERP.ORTE.ID"].key_role == "pk"
    assert items["ERP.ORTE.ID"].details == {"identity": "identity"}
    assert not items["ERP.ORTE.ID"].nullable
    assert (items["ERP.KUNDEN.ORT"].key_role, items["ERP.KUNDEN.ORT"].fk) == ("fk", "ERP.ORTE.ID")
    assert items["ERP.KUNDEN"].details == {"keys": ["unique (ORT, SEIT)"], "partitions": 12}
    assert items["ERP.KUNDEN.DOPPELT"].details == {"generated": '"KNR"*2'}
    assert items["ERP.KUNDEN.select"].type == "NUMBER(18,2)"
    assert items[f"ERP.KUNDEN.{ODD}"].type == "VARCHAR2(50 CHAR)"
    assert (items["ERP.V_ALLE"].kind, items["ERP.V_ALLE"].definition) == (
        "view",
        "SELECT knr FROM kunden",
    )
    assert items["ERP.MV"].details == {"storage": "materialized view"}
    assert (items["ERP.MV"].definition, items["ERP.MV"].comment) == ("SELECT 1 n FROM dual", "")
    assert items["ERP.EXTERN"].details == {"storage": "foreign table"}
    source = open_source(URL)
    assert source.schemas() == ["ERP"]
    assert ("ERP", "kunden") in source.tables()
    assert (source.identity, source.reopen) == (
        "oracle://ora:1521/XEPDB1",
        "oracle://reader@ora:1521/?service_name=XEPDB1",
    )
    only = inventory(Selection(("ERP",), ("kunden",)))
    assert list(only) == ["ERP.kunden", "ERP.kunden.a"]
    assert inventory(Selection(("OTHER*",))) == {}


def test_each_transaction_is_read_only_and_bounded(dictionary: Dictionary) -> None:
    inventory()
    selects = [place for place, sql in enumerate(dictionary.asked) if "FROM all_" in sql]
    assert {dictionary.asked[place - 1] for place in selects} == {"SET TRANSACTION READ ONLY"}
    connection = dictionary.connections[-1]
    assert (connection.call_timeout, connection.module) == (30_000, "amx-kimi")
    assert dictionary.logins[-1]["tcp_connect_timeout"] == 10


def test_statements_do_not_grow_with_the_tables(dictionary: Dictionary) -> None:
    inventory()
    few = len(dictionary.asked)
    dictionary.asked.clear()
    tables = "FROM range(300) r(i)"
    dictionary.rows(
        f"INSERT INTO all_tables SELECT 'ERP', 'T' || i, 1, 'NO', 'NO', 'N', NULL {tables}"
    )
    dictionary.rows(
        "INSERT INTO all_tab_cols SELECT 'ERP', 'T' || i, 'C' || j, j, 'DATE', NULL, 7, 0, NULL, "
        f"NULL, NULL, 'Y', 'NO', 'NO', 'NO', NULL {tables}, range(100) s(j)"
    )
    began = time.thread_time()
    assert len(inventory()) > 30_000
    assert time.thread_time() - began < 15  # the translated statements are run in this thread, too
    assert len(dictionary.asked) == few
    assert len([sql for sql in dictionary.asked if "FROM all_" in sql]) <= 12


def test_statistics_are_the_optimizers(dictionary: Dictionary) -> None:
    table = inventory()["ERP.ORTE"]
    source = open_source(URL)
    facts = source.profile(table, ["ID", "PLZ"])
    assert (facts["ID"].least, facts["ID"].greatest, facts["ID"].distinct) == ("1", "14", 14)
    assert (facts["PLZ"].nulls, facts["PLZ"].least) == (2, "10115")
    assert facts["PLZ"].values == (("50667", 6), ("20095", 4), ("10115", 2))
    dictionary.refuse.append(("all_tab_histograms", oracle_error(1031, "insufficient privileges")))
    assert source.profile(table, ["PLZ"]) == source.profile(table, ["PLZ"]) == {}
    assert source.notes == [
        "The statistics of the database cannot be read: ORA-01031: insufficient privileges"
    ]
    source.close()


def test_rows_are_read_only_when_allowed_and_of_short_values(dictionary: Dictionary) -> None:
    dictionary.rows('CREATE SCHEMA "ERP"')
    dictionary.rows(f'CREATE TABLE "ERP"."KUNDEN" ("{ODD}" VARCHAR, "BILD" BLOB)')
    dictionary.rows("INSERT INTO \"ERP\".\"KUNDEN\" VALUES ('a', 'x'), ('a', NULL), (NULL, NULL)")
    items = inventory()
    source = open_source(URL)
    assert source.profile(items["ERP.KUNDEN"], [ODD]) == {}
    source.close()
    source = open_source(URL, Reading(data=True))
    facts = source.profile(items["ERP.KUNDEN"], [ODD, "BILD"])
    assert (facts[ODD].values, facts[ODD].nulls) == ((("a", 2),), 1)
    assert "BILD" not in facts
    assert source.profile(items["ERP.EXTERN"], ["A"]) == {}
    assert source.profile(items["ERP.V_ALLE"], ["KNR"]) == {}
    dictionary.rows('DROP TABLE "ERP"."KUNDEN"')
    with pytest.raises(TableGoneError):
        source.profile(items["ERP.KUNDEN"], [ODD])
    dictionary.rows("DELETE FROM all_tab_cols")
    with pytest.raises(TableGoneError):
        source.profile(items["ERP.KUNDEN"], [ODD])
    source.close()


@pytest.mark.parametrize(
    ("missing", "note"),
    [
        ("all_constraints", "Keys are unknown: ORA-00942"),
        ("m.query", "Some definitions are unknown: ORA-00942"),
        ("data_default", "Some definitions are unknown: ORA-00942"),
    ],
)
def test_what_may_not_be_seen_is_a_note(dictionary: Dictionary, missing: str, note: str) -> None:
    dictionary.refuse.append((missing, oracle_error(942, "table or view does not exist")))
    source = open_source(URL)
    assert len(list(source.items(Selection()))) > 10
    assert [told.startswith(note) for told in source.notes] == [True]
    assert "Help:" not in source.notes[0]
    source.close()


@pytest.mark.parametrize(
    "text",
    [
        "it's",
        "a\\b",
        "100 % %s",
        "zwei\n/\nZeilen",
        "„Größe“ 😀",
        "';--",
        "漢字 & :y ?",
        "ü" * 2_000,
    ],
)
def test_texts_arrive_and_leave(dictionary: Dictionary, text: str) -> None:
    before = dictionary.comments()
    database = open_comments(URL)
    places = [("KUNDEN", ""), ("KUNDEN", "select"), ("KUNDEN", ODD), ("kunden", "a"), ("MV", "")]
    for table, column in places:
        old = database.read([("ERP", table)])["ERP", table].comments[column]
        assert database.write("ERP", table, [Comment(column, old, text)]) == []
        assert database.read([("ERP", table)])["ERP", table].comments[column] == text
        assert database.write("ERP", table, [Comment(column, text, old)]) == []
    assert database.read([("ERP", "MV")])["ERP", "MV"].kind == "materialized view"
    assert database.read([("ERP", "V_ALLE")])["ERP", "V_ALLE"].kind == "view"
    assert dictionary.comments() == before
    assert database.read([("ERP", "GONE")]) == database.read([]) == {}
    database.close()


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (54, "resource busy and acquire with NOWAIT specified or timeout expired"),
        (1031, "insufficient privileges"),
    ],
)
def test_what_is_refused_is_named_and_the_rest_written(
    dictionary: Dictionary, code: int, text: str
) -> None:
    database = open_comments(URL)
    dictionary.refuse.append((r'COMMENT ON .*"PLZ"', oracle_error(code, text)))
    wanted = [Comment("PLZ", None, "Postcode."), Comment("ID", None, "Number.")]
    with pytest.raises(RefusedError, match=rf"^ORA-{code:05}: {text} \(PLZ\)$") as caught:
        database.write("ERP", "ORTE", wanted)
    assert list(caught.value.columns) == ["PLZ"]
    assert dictionary.comments()["ERP.ORTE.ID"] == "Number."
    database.close()


def test_what_somebody_wrote_meanwhile_and_a_lost_connection(dictionary: Dictionary) -> None:
    database = open_comments(URL)
    wanted = [Comment("ID", None, "Number."), Comment("", "another", "Places.")]
    assert database.write("ERP", "ORTE", wanted) == [wanted[1]]
    assert dictionary.comments()["ERP.ORTE"] == "written by people"
    dictionary.refuse.append(
        ("COMMENT", oracle_error(3113, "end-of-file on communication channel"))
    )
    with pytest.raises(SourceError, match="connection was lost"):
        database.write("ERP", "ORTE", [Comment("PLZ", None, "Postcode.")])
    database.close()


def test_lists_are_not_longer_than_oracle_takes(dictionary: Dictionary) -> None:
    dictionary.rows(
        "INSERT INTO all_tab_comments SELECT 'ERP', 'T' || i, 'TABLE', NULL FROM range(2500) r(i)"
    )
    database = open_comments(URL)
    wanted = [("ERP", f"T{number}") for number in range(2_500)]
    assert set(database.read(wanted)) == set(wanted)
    assert max(sql.count(":tables") for sql in dictionary.asked) <= 2 * 1_000
    database.close()


REMEDIES = [
    ("ORA-01017: invalid credential", "Check user and password"),
    ("DPY-6001: Service X is not registered with the listener", "?service_name=NAME"),
    ("ORA-12505: SID", "instead of /SID"),
    ("DPY-6005: cannot connect to database", "Nobody listens there"),
    ("DPY-4000: unable to find X in tnsnames.ora", "config_dir"),
    ("ORA-28000: the account is locked", "unlocks it"),
    ("ORA-28001: the password has expired", "has expired"),
    ("ORA-01045: lacks CREATE SESSION", "CREATE SESSION"),
    ("DPY-3010: connections to this server version are not supported", "12.1 or later"),
    ("DPY-3001: Native Network Encryption", "tcps"),
    ("ORA-99999: other", "Check host, port, service_name"),
]


@pytest.mark.parametrize(("words", "remedy"), REMEDIES)
def test_each_refusal_has_its_remedy(
    monkeypatch: pytest.MonkeyPatch, words: str, remedy: str
) -> None:
    def refuse(**_: object) -> None:
        from oracledb.errors import _Error

        raise oracledb.DatabaseError(_Error(words))

    monkeypatch.setattr(oracledb, "connect", refuse)
    with pytest.raises(SourceError) as caught:
        open_source(URL)
    assert words in str(caught.value)
    assert remedy in str(caught.value)
    assert "Secret-9" not in str(caught.value)


def test_the_drivers_own_refusal_of_a_closed_port() -> None:
    url = "oracle://reader:Secret-9@127.0.0.1:1/?service_name=X&wallet_password=other-secret"
    with pytest.raises(SourceError, match="DPY-6005") as caught:
        open_source(url)
    assert "Nobody listens there" in str(caught.value)
    assert "secret" not in str(caught.value).lower()


@pytest.mark.parametrize(
    ("url", "words", "identity"),
    [
        ("oracle://reader:Secret-9@ora/XE", "SID=XE", "oracle://ora:1521/XE"),
        (
            "oracle+oracledb://reader:Secret-9@ora:1522/?service_name=S",
            "PORT=1522",
            "oracle://ora:1522/S",
        ),
        (
            "oracle://reader:Secret-9@erp_alias?config_dir=/tns",
            "erp_alias",
            "oracle://erp_alias:1521/",
        ),
    ],
)
def test_names_of_a_database(dictionary: Dictionary, url: str, words: str, identity: str) -> None:
    source = open_source(url)
    assert words in dictionary.logins[-1]["dsn"]
    assert source.identity == identity
    again = make_url(source.reopen).set(password=dictionary.password)
    assert open_source(again).tables() == source.tables()


@pytest.mark.parametrize(
    ("row", "type_"),
    [
        ({"type": "VARCHAR2", "length": 200, "characters": 50, "used": "C"}, "VARCHAR2(50 CHAR)"),
        ({"type": "VARCHAR2", "length": 50, "characters": 50, "used": "B"}, "VARCHAR2(50)"),
        ({"type": "NVARCHAR2", "length": 100, "characters": 50, "used": "C"}, "NVARCHAR2(50)"),
        ({"type": "NUMBER", "precision": None, "scale": None}, "NUMBER"),
        ({"type": "NUMBER", "precision": None, "scale": 0}, "NUMBER(38)"),
        ({"type": "NUMBER", "precision": 12, "scale": 0}, "NUMBER(12)"),
        ({"type": "NUMBER", "precision": 5, "scale": -2}, "NUMBER(5,-2)"),
        ({"type": "FLOAT", "precision": 126}, "FLOAT(126)"),
        ({"type": "RAW", "length": 16}, "RAW(16)"),
        ({"type": "TIMESTAMP(6) WITH TIME ZONE"}, "TIMESTAMP(6) WITH TIME ZONE"),
        ({"type": "SDO_GEOMETRY", "type_owner": "MDSYS"}, "MDSYS.SDO_GEOMETRY"),
        ({"type": "CLOB", "length": 4_000}, "CLOB"),
    ],
)
def test_types_are_spelled_as_in_ddl(row: dict[str, Any], type_: str) -> None:
    names = ("type_owner", "length", "characters", "used", "precision", "scale")
    assert spelled({**dict.fromkeys(names), **row}) == type_


SHORT = [
    "NUMBER",
    "VARCHAR2",
    "CLOB",
    "RAW",
    "DATE",
    "TIMESTAMP(6)",
    "INTERVAL DAY(2) TO SECOND(6)",
]


@pytest.mark.parametrize("type_", SHORT)
def test_a_sample_of_each_type_is_oracles_sql(type_: str) -> None:
    assert is_sampled(type_)
    (tree,) = sqlglot.parse(
        f'SELECT {sampled(chr(34) + "a b" + chr(34), type_)} FROM "t"', "oracle"
    )
    assert tree is not None


@pytest.mark.parametrize("type_", ["LONG", "LONG RAW", "BLOB", "BFILE", "XMLTYPE", ""])
def test_no_rows_are_read_of_other_types(type_: str) -> None:
    assert not is_sampled(type_)


@pytest.mark.parametrize(
    ("raw", "type_", "value"),
    [
        # What DUMP told on servers: J. Lewis, "How are numbers stored" (2001) and Y. Huang, "Number
        # in data file".
        ("c30d2322", "NUMBER", "123433"),
        ("3c59434466", "NUMBER", "-123433"),
        ("3d644e3a4766", "NUMBER", "-123.433"),
        ("c3022e", "NUMBER", "14500"),
        ("be2e3d", "NUMBER", "0.0000456"),
        ("401c3d66", "NUMBER", "-0.00734"),
        ("c106", "NUMBER", "5"),
        ("80", "NUMBER", "0"),
        ("64700207010101", "DATE", "0012-02-07 00:00:00"),
        ("77c00b1e101201", "DATE", "1992-11-30 15:17:00"),
        ("77c00b1e10120107735940", "TIMESTAMP(6)", "1992-11-30 15:17:00.125000"),
        ("00", "NUMBER", None),
        ("ff65", "NUMBER", None),
        ("77", "DATE", None),
        ("00ff", "RAW", None),
        ("", "NUMBER", None),
        ("004100df", "NVARCHAR2", "Aß"),
        ("41c39f", "VARCHAR2", "Aß"),
    ],
)
def test_values_of_statistics(raw: str, type_: str, value: str | None) -> None:
    assert decoded(bytes.fromhex(raw), type_) == value


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=6, min_value=-(10**20), max_value=10**20
    )
)
def test_numbers_are_decoded(number: Decimal) -> None:
    assert Decimal(decoded(encoded(number), "NUMBER") or "") == number


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)))
def test_moments_are_decoded(moment: datetime) -> None:
    century, year = divmod(moment.year, 100)
    day = [century + 100, year + 100, moment.month, moment.day]
    raw = bytes([*day, moment.hour + 1, moment.minute + 1, moment.second + 1])
    assert decoded(raw, "DATE") == str(moment.replace(microsecond=0))
    fraction = (moment.microsecond * 1_000).to_bytes(4, "big")
    assert decoded(raw + fraction, "TIMESTAMP(9)") == str(moment)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_are_decoded(number: float) -> None:
    raw = struct.pack(">d", number)
    mapped = bytes([raw[0] | 0x80]) + raw[1:] if not raw[0] & 0x80 else bytes(255 - b for b in raw)
    assert float(decoded(mapped, "BINARY_DOUBLE") or "nan") == number


@given(st.binary(max_size=14), st.sampled_from(["NUMBER", "DATE", "BINARY_FLOAT", "CHAR", "NCHAR"]))
def test_any_bytes_are_a_text_or_unknown(raw: bytes, type_: str) -> None:
    assert isinstance(decoded(raw, type_), str | None)


def test_frequencies_of_numbers_and_of_none() -> None:
    row = {
        "type": "NUMBER",
        "distinct_values": 2,
        "nulls": 0,
        "low_value": None,
        "high_value": None,
        "histogram": "FREQUENCY",
    }
    steps = [
        {"endpoint_number": 1, "endpoint_value": 7.0, "endpoint_actual_value": None},
        {"endpoint_number": 4, "endpoint_value": 1.5, "endpoint_actual_value": None},
    ]
    assert facts_of(row, steps, 8).values == (("1.5", 6), ("7", 2))
    assert facts_of(row, steps, None).values == ()
    assert facts_of({**row, "histogram": "HYBRID"}, steps, 8).values == ()


def encoded(number: Decimal) -> bytes:
    """A number in Oracle's form, by its definition: digits to the base 100 after the sign and the
    exponent; of negative numbers the complements, and 102."""
    if not number:
        return b"\x80"
    whole, _, fraction = f"{abs(number):f}".partition(".")
    whole, fraction = whole.lstrip("0"), fraction.rstrip("0")
    whole = whole.rjust(len(whole) + len(whole) % 2, "0")
    fraction = fraction.ljust(len(fraction) + len(fraction) % 2, "0")
    digits = [int((whole + fraction)[at : at + 2]) for at in range(0, len(whole + fraction), 2)]
    exponent = len(whole) // 2 - 1
    while digits[0] == 0:
        digits, exponent = digits[1:], exponent - 1
    while digits[-1] == 0:
        digits = digits[:-1]
    if number > 0:
        return bytes([193 + exponent, *(digit + 1 for digit in digits)])
    return bytes([62 - exponent, *(101 - digit for digit in digits), 102])
