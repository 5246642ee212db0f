"""What may leave of a value."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import amx_kimi
from amx_kimi.annotate.batch import Batch, Piece
from amx_kimi.annotate.prompt import Wanted, messages
from amx_kimi.config import Masking
from amx_kimi.journal import Stored
from amx_kimi.redact import (
    ColumnFacts,
    Masked,
    Redactor,
    check_masked,
    facts_again,
    redact_text,
    shape,
)
from amx_kimi.redact import redact_sql as redact_definition
from amx_kimi.redact import redactor as redactor_module
from amx_kimi.types import Item, RawFacts

from .helpers import column_item, mask, redact, table_item

HARMLESS = [
    *("A", "open", "CLOSED", "EUR", "kg", "yes", "in progress", "Müller & Co"),
    *("17", "4.5", "-1", "X 12", "KD-4711", "Type A", "Room 12", "CLOSED WON", "In progress"),
    *("2024-01-15", "15.01.2024", "10:30:00", "2024-01-15T10:30:00", "10/2024"),
]


@pytest.mark.parametrize("value", HARMLESS)
def test_frequent_and_harmless_values_leave(value: str) -> None:
    assert mask("status", value, 5) == value
    assert mask("status", value, 5_000) == value


@pytest.mark.parametrize("value", ["open", "EUR", "KD-4711", "x1y"])
@pytest.mark.parametrize("count", [0, 1, 4])
def test_below_five_occurrences_only_the_shape_leaves(value: str, count: int) -> None:
    assert mask("status", value, count) == shape(value) != value


PERSONAL_VALUES = [
    *("ada@example.org", "Ada <ada@x.co>", "mailto:a@b", "ö@ü.de"),
    *("DE89 3704 0044 0532 0130 00", "DE89370400440532013000", "gb29 nwbk 6016 1331 9268 19"),
    *(
        "+49 89 1234567",
        "+49 (89) 123-456",
        "089/12345",
        "(030) 123456",
        "030-12345",
        "0151 23456789",
    ),
    *("555-1234", "555.123.4567", "(555) 123-4567", "+1 555 0100"),
    *("4111 1111 1111 1111", "4111-1111-1111-1111", "4111.1111.1111.1111", "378282246310005"),
    *("192.168.0.1", "10.0.0.255", "fe80::1", "2001:db8:0:0:8:800:200c:417a", "::1"),
    *("00:1A:2B:3C:4D:5E", "00-1A-2B-3C-4D-5E"),
    *("sk-live-4f9d", "ghp_16C7e42F292c69", "AKIAIOSFODNN7EXAMPLE", "xoxb-1234-abcd"),
    *("Basic YWRhOmxvdmU", "-----BEGIN PRIVATE KEY-----"),
    *("9f86d081884c7d659a2feaa0", "dGhpcyBpcyBhIHNlY3JldCB0b2tlbg==", "123-45-6789", "7654321"),
    *("https://example.org/u/7", "550e8400-e29b-41d4-a716-446655440000"),
    *(
        "48.137154, 11.576124",
        "line one\nline two",
        "bell\x07",
        "a sentence that is longer than 32 letters",
    ),
    *("Anna Schmidt", "Müller, Hans", "K. Lang", "Jean-Luc Picard", "Otto-Karl O’Neill"),
    *("José García", "Élodie Martin", "Ian McKay", "Anna Schmidt-Meier", "Łukasz Żuk"),
    *("Hauptstr. 5", "Am Wiesenweg 12", "10 Downing Street", "12 rue de la Paix", "Via Roma 3"),
    *("10115 Berlin", "1010 Wien", "742 Evergreen Terrace"),
    *('{"vip": 1}', "[Anna]", "{Anna,Otto}"),
]


@pytest.mark.parametrize("value", PERSONAL_VALUES)
def test_personal_values_never_leave(value: str) -> None:
    masked = mask("code", value, 1_000_000)
    assert masked == shape(value)
    for run in re.findall(r"[^\W_]{3,}", value.removesuffix("org")):  # an address keeps its end
        assert run not in masked


PERSONAL_COLUMNS = [
    *("name", "FIRST_NAME", "lastname", "Vorname", "nachn", "user_id", "login", "username"),
    *("email", "e_mail", "mail_addr", "phone", "tel", "telefon", "fax_nr", "mobile", "handy"),
    *("address", "adresse", "ADR_1", "street", "Strasse", "Straße", "str", "city", "ort"),
    *("wohnort", "kd_ort", "plz", "zip", "postal_code", "birth_date", "geb_dat", "iban"),
    *("konto", "KTO_NR", "account_no", "acct_nr", "ssn", "password", "pwd", "kennwort"),
    *("api_secret", "token", "card_no", "kontakt", "contact_id", "ansprechperson"),
    *("comment", "bemerkung", "notes", "free_text", "BEM_TXT", "notiz", "kommentar", "memo"),
    *("usr", "kd_nm", "nm1", "mitarbeiter", "angest_nr", "ansprechp", "verkaeufer", "Verkäufer"),
    *("sachb", "bearbeiter", "erfasst_von", "ersteller", "author", "autor", "owner", "actor"),
    *("created_by", "inhaber", "kunde", "customer", "patient_no", "diagnosis", "dob", "pin"),
    *("api_key", "license_key", "apikey", "steuer_nr", "tax_id", "cc_last4", "plate", "vermerk"),
]


@pytest.mark.parametrize("column", PERSONAL_COLUMNS)
def test_personal_columns_send_shapes_only(column: str) -> None:
    assert mask(column, "Berlin", 10_000) == "Aaaaaa"


@pytest.mark.parametrize(
    "column",
    [
        *("status", "currency", "land", "unit", "qty", "seller", "sort", "report_id", "amount"),
        *("type", "customer_group", "kunden_art", "keyboard", "monkey", "spin", "baby_size"),
    ],
)
def test_other_columns_send_frequent_values(column: str) -> None:
    assert mask(column, "open", 5) == "open"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("KD-4711", "AA-9999"),
        ("Ab1 _x", "Aa9 _a"),
        ("", ""),
        ("ÄößÇ", "AaaA"),
        ("名前٣", "aa9"),
        ("a\tb\nc", "a?a?a"),
        ("½🚀", "??"),
        ("x" * 24, "a" * 24),
        ("x" * 25, "free text, ~25 characters"),
        ("x" * 99, "free text, ~99 characters"),
        ("x" * 237, "free text, ~240 characters"),
        ("7" * 40, "digits, ~40 characters"),
        ("7" * 21 + "x" * 4, "digits, ~25 characters"),
        ("7" * 20 + "x" * 5, "free text, ~25 characters"),  # not more than 80% digits
        ("2026-01-31 10:20:30.123456+01:00", "9999-99-99 99:99:99.999999+99:99"),
        ("2026-01-31T10:20:30.123456789Z", "9999-99-99A99:99:99.999999999A"),
        ("2026-01-31 10:20 at the Ritz", "free text, ~28 characters"),
    ],
)
def test_shapes(value: str, expected: str) -> None:
    assert shape(value) == expected
    assert isinstance(shape(value), Masked)


VALUES = st.one_of(
    st.text(max_size=60),
    st.from_regex(r"\A[A-Za-z0-9 @._+-]{1,40}\Z"),
    st.emails(),
    st.ip_addresses().map(str),
    st.integers().map(str),
)
COLUMNS = st.sampled_from(["status", "code", "email", "x", "kd_name"])
SHAPE_WORDS = {"free", "text", "digits", "characters"}


def runs_of(text: str) -> set[str]:
    """Every run of three letters or digits, but those that a shape is made of."""
    threes = {text[n : n + 3] for n in range(len(text) - 2)}
    return {three for three in threes if three.isalnum() and not set(three) <= {"A", "a", "9"}}


@given(COLUMNS, VALUES, st.integers(0, 20))
@example("status", "open@status", 20)
@example("email", "hello", 20)
@example("status", "hello", 4)
def test_a_shape_shares_nothing_with_the_value(column: str, value: str, count: int) -> None:
    masked = str(mask(column, value, count))
    if masked != shape(value):
        assert masked == value
        assert count >= 5
        assert column in ("status", "code", "x")
        assert len(value) <= 32
        assert "@" not in value
        assert value[:1] not in ("{", "[")
        return
    for word in SHAPE_WORDS:
        masked = masked.replace(word, "")
    masked = re.sub(r"(\*\*\*@.\*\*\*\.)[A-Za-z]{2,10}", r"\1", masked)
    masked = re.sub(r"~\d+", "", masked)
    assert not runs_of(value) & runs_of(masked)


RAW = st.builds(
    RawFacts,
    nulls=st.none() | st.integers(0, 100),
    distinct=st.none() | st.integers(0, 100),
    least=st.none() | VALUES,
    greatest=st.none() | VALUES,
    values=st.lists(st.tuples(VALUES, st.integers(0, 10)), max_size=8).map(tuple),
)


@given(COLUMNS, RAW)
@example("code", RawFacts(values=(("0", 5), ("K. Lang", 9))))
def test_every_value_of_the_facts_is_masked(column: str, raw: RawFacts) -> None:
    facts = redact(column, raw)
    shown = [*facts.samples, *(v for v in (facts.least, facts.greatest) if v is not None)]
    assert all(isinstance(value, Masked) for value in shown)
    allowed = {mask(column, value, count) for value, count in raw.values}
    shapes = {shape(value) for value, _ in raw.values}
    hidden = sum(mask(column, value, 1_000) == shape(value) for value, _ in raw.values)
    may_be_names = (raw.distinct or 0) >= 30 or 2 * hidden >= len(raw.values)
    assert set(facts.samples) == allowed or (set(facts.samples) == shapes and may_be_names)
    assert len(facts.samples) == len(set(facts.samples))
    assert (facts.nulls, facts.distinct) == (raw.nulls, raw.distinct)
    for bound, value in ((facts.least, raw.least), (facts.greatest, raw.greatest)):
        counts = [count for other, count in raw.values if other == value]
        if value is None:
            assert bound is None
        elif not counts:
            assert bound == shape(value)


def test_a_bound_is_as_frequent_as_its_value() -> None:
    raw = RawFacts(0, 3, "a", "z", (("a", 9), ("m", 9)))
    assert redact("status", raw) == ColumnFacts(
        0, 3, shape("x"), shape("z"), (shape("x"), Masked("m"))
    )  # "a" is its own shape
    assert redact("status", RawFacts(least="Q", greatest="Z")).as_json() == {"min": "A", "max": "A"}


def test_no_samples_leaves_counts_only() -> None:
    raw = RawFacts(1, 2, "a", "b", (("a", 9),))
    assert redact("status", raw, values=False).as_json() == {"nulls": 1, "distinct": 2}


def test_unknown_facts_are_left_out_and_zero_is_not() -> None:
    assert ColumnFacts().as_json() == {}
    assert ColumnFacts(0, 0).as_json() == {"nulls": 0, "distinct": 0}


# Views


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 'open' AS x, 7 FROM t", "SELECT 'aaaa' AS x, 7 FROM t"),
        ("WHERE a = 'Anna Schmidt' OR b", "WHERE a = 'Aaaa Aaaaaaa' OR b"),
        ("IN ('ada@example.org', 'x')", "IN ('a***@e***.org', 'a')"),
        ("= 'Jim O''Neill'", "= 'Aaa A''Aaaaa'"),
        ("= ''::text, 'it''s'", "= ''::text, 'aa''a'"),
        ("= $$Anna Schmidt$$ OR", "= 'Aaaa Aaaaaaa' OR"),
        ("= $q$Anna Schmidt$q$", "= 'Aaaa Aaaaaaa'"),
        ("= 'Anna Schm", "= 'Aaaa Aaaa'"),  # cut off
        ("= $$Anna Schm", "= 'Aaaa Aaaa'"),
        ("""SELECT "it's" = 'Anna Schmidt'""", """SELECT "it's" = 'Aaaa Aaaaaaa'"""),
        ('SELECT "Anna Schm', 'SELECT "Aaaa Aaaa'),
        ("SELECT `it's` = 'Anna Schmidt'", "SELECT `it's` = 'Aaaa Aaaaaaa'"),
        ("-- it's\nSELECT 'Anna Schmidt'", " \nSELECT 'Aaaa Aaaaaaa'"),
        ("SELECT /* 'Anna's */ 'Anna Schmidt'", "SELECT   'Aaaa Aaaaaaa'"),
        ("SELECT 1 /* for Anna Schm", "SELECT 1  "),
        ("SELECT '-- no comment', 'Anna Schmidt'", "SELECT '-- aa aaaaaaa', 'Aaaa Aaaaaaa'"),
    ],
)
def test_the_texts_in_a_views_sql_leave_as_values_do(sql: str, expected: str) -> None:
    masked = redact_definition(sql)
    assert masked == expected
    assert isinstance(masked, Masked)


def test_no_samples_leaves_no_shape_in_a_views_sql() -> None:
    assert redact_definition("a = 'open' AND b = 1234", values=False) == "a = '…' AND b = 9999"


@given(st.text(max_size=40), st.text("ab'\"$`-/* \n", max_size=20))
def test_no_personal_text_leaves_in_a_views_sql(text: str, around: str) -> None:
    secret = "ada.lovelace@example.org" + text
    quoted = "'" + secret.replace("'", "''") + "'"
    for sql in (f"SELECT {quoted} AS x {around}", f"SELECT 'x', {quoted[:-1].rstrip(chr(39))}"):
        assert "lovelace" not in redact_definition(sql)


def calls_of(name: str) -> set[str]:
    """The files of amx_kimi that call `name`."""
    root = Path(amx_kimi.__file__).parent
    found = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                function = node.func
                called = getattr(function, "id", getattr(function, "attr", None))
                if called == name:
                    found.add(str(path.relative_to(root)))
    return found


def test_only_redact_makes_masked_values_and_facts() -> None:
    here = {f"redact/{name}.py" for name in ("redactor", "shapes", "texts")}
    assert calls_of("Masked") == here
    assert calls_of("ColumnFacts") == {"redact/redactor.py"}


def strings_in(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {text for inner in value.values() for text in strings_in(inner)}
    if isinstance(value, list):
        return {text for inner in value for text in strings_in(inner)}
    return {value} if isinstance(value, str) else set()


@given(COLUMNS, RAW)
def test_the_prompt_has_no_other_values(column: str, raw: RawFacts) -> None:
    table = table_item("t", "s")
    facts = redact(column, raw)
    pair = (Stored(2, column_item(table, column, type="text"), "k"), facts)
    chat = messages(Batch((Piece(table, None, (pair,)),)), Wanted())
    question = json.loads(chat[-1]["content"])
    known = {"describe", "en", "T1", "s.t", column, "text"}
    assert strings_in(question) - known <= strings_in(dict(facts.as_json()))


# Rules


def ruled(value: str, *, column: str = "x", count: int = 1, **rules: tuple[str, ...]) -> str:
    item = column_item(table_item("staff", "hr"), column)
    return Redactor(Masking(**rules)).mask(item, value, count)


@pytest.mark.parametrize("pattern", ["hr.*", "*.x", "staff.x", "HR.STAFF.X", "*"])
def test_of_never_columns_nothing_leaves(pattern: str) -> None:
    assert ruled("open", count=1_000, never=(pattern,)) == "aaaa"
    redactor = Redactor(Masking(never=(pattern,), always=("*",)))
    item = column_item(
        table_item("staff", "hr"),
        "x",
        type="ENUM('open', 'shut')",
        details={"values": ["open"], "check": "x IN ('open')"},
    )
    raw = RawFacts(1, 2, "open", "shut", (("open", 900),), keys=(("open", 900),))
    shown = redactor.column(redactor.item(item), raw).as_json()
    assert "open" not in json.dumps(shown)
    assert (shown["nulls"], shown["distinct"]) == (1, 2)
    assert "samples" not in shown
    assert redactor.item(item).type == "ENUM('…', '…')"


@pytest.mark.parametrize("pattern", ["other.*", "hr.other.*", "y", "*.xy"])
def test_other_columns_are_not_concerned(pattern: str) -> None:
    assert ruled("open", count=1_000, never=(pattern,)) == "open"


def test_of_always_columns_each_value_leaves_but_formats() -> None:
    rule = {"always": ("*.name",)}
    assert ruled("Anna Schmidt", column="name", **rule) == "Anna Schmidt"
    assert ruled("Anna Schmidt", column="name") == "Aaaa Aaaaaaa"
    assert ruled("anna@example.org", column="name", **rule) == "a***@e***.org"
    assert (
        ruled("DE89 3704 0044 0532 0130 00", column="name", **rule) != "DE89 3704 0044 0532 0130 00"
    )


def test_a_detector_that_fails_lets_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bool:
        raise RuntimeError("strange value")

    monkeypatch.setattr(redactor_module, "is_formatted", fail)
    assert mask("status", "open", 1_000) == "aaaa"


@pytest.mark.parametrize(
    ("country", "value"),
    [
        *(("it", "RSSMRA85T10A562S"), ("gb", "AB 12 34 56 C"), ("no", "22 33 44 55")),
        *(("es", "12345678Z"), ("fi", "131052-308T"), ("in", "ACUPA7085R")),
        *(("fr", "01 23 45 67 89"), ("is", "55 12 345")),
    ],
)
def test_numbers_of_a_country(country: str, value: str) -> None:
    assert ruled(value, count=1_000, countries=(country,)) == shape(value)


@pytest.mark.parametrize("value", ["20240115", "2024-01-15", "AB12CD", "A-1234", "1234-5"])
def test_codes_are_no_numbers_of_people(value: str) -> None:
    expected = shape(value) if value == "20240115" else value  # eight digits may be anything
    assert mask("status", value, 1_000) == expected


@pytest.mark.parametrize(
    ("country", "value"),
    [
        ("nl", "10-10-11"),  # too short, though its digits check
        ("pt", "5561N3"),
        ("is", "10-10-111"),  # seven digits, but no phone number
    ],
)
def test_codes_that_are_nobodys_number(country: str, value: str) -> None:
    assert ruled(value, count=1_000, countries=(country,)) == value


def test_many_different_words_are_names_of_something() -> None:
    names = tuple((name, 50) for name in ("Schmidt", "Meyer", "Weber", "Koch"))
    assert redact("c1", RawFacts(0, 400, None, None, names)).samples == ("Aaaaaaa", "Aaaaa", "Aaaa")
    assert redact("c1", RawFacts(None, None, None, None, names, seen=300)).samples[0] == "Aaaaaaa"
    assert redact("c1", RawFacts(0, 4, None, None, names)).samples[0] == "Schmidt"
    codes = (("A-1", 50), ("B-2", 50))
    assert redact("c1", RawFacts(0, 400, None, None, codes)).samples == ("A-1", "B-2")


def test_keys_of_documents_that_recur_leave() -> None:
    keys = (("lang", 90), ("opt_in", 5), ("rare", 2), ("anna@example.org", 90), ("4711", 90))
    assert redact("doc", RawFacts(keys=keys)).keys == ("lang", "opt_in")
    assert redact("doc", RawFacts(keys=keys), values=False).as_json() == {}


# Prose, checks, enums


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ask anna.b@firma.de, please", "Ask a***@f***.de, please"),
        ("call +49 30 1234567 at night", "call +99 99 9999999 at night"),
        ("IBAN DE89 3704 0044 0532 0130 00.", "IBAN free text, ~27 characters."),
        ("host 10.0.0.1 and https://x.y/z?k=1", "host 99.9.9.9 and aaaaa://a.a/a?a=9"),
        ("key sk-abc123def456", "key aa-aaa999aaa999"),
        ("since 2019, in EUR, 5 digits", "since 2019, in EUR, 5 digits"),
        ("daily at 10:30:00", "daily at 10:30:00"),
        ("see customer_address_line_2", "see customer_address_line_2"),
        ("", ""),
    ],
)
def test_prose(text: str, expected: str) -> None:
    assert redact_text(text) == expected


@given(st.text(max_size=80))
def test_prose_of_any_kind(text: str) -> None:
    assert "ada.l@example.org" not in redact_text(f"{text} ada.l@example.org {text}")


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("name = 'anna' AND st = 'open'", "name = 'aaaa' AND st = 'aaaa'"),
        ("SELECT 'Weber' AS nachname", "SELECT 'Aaaaa' AS nachname"),
        ("nachname = N'Weber'", "nachname = N'Aaaaa'"),
        ("CASE WHEN x = 'Weber' THEN 'Anna'", "CASE WHEN x = 'Aaaaa' THEN 'Aaaa'"),
        ('st = "Anna Schmidt"', 'st = "Aaaa Aaaaaaa"'),
        ("note = 'O\\'Brien' AND mail = 'a@b.de'", ""),
        ("SELECT 1 # don't\n, 'Weber'", ""),
        ("SELECT /* /* */ don't */ 'Weber'", ""),
        ("lower(kd_name) IN ('anna', 'otto')", "lower(kd_name) IN ('aaaa', 'aaaa')"),
        ("(nachname)::text ~~ 'sch%'::text", "(nachname)::text ~~ 'aaa%'::text"),
        ("\"E-Mail\" = 'x'", "\"E-Mail\" = 'a'"),
        ("a = E'it\\'s Anna Schmidt'", "a = 'aa''a Aaaa Aaaaaaa'"),
        ("id = 123456789 OR id < 10", "id = 999999999 OR id < 99"),
        ("salary > 85000.50 AND n = 1e6 OR x = 0xFF", "salary > 99999.99 AND n = 9a9 OR x = 9aAA"),
        ("t2024.c1 = 1 AND y = .5 AND z > .75", "t2024.c1 = 1 AND y = .5 AND z > .99"),
        ("st = 'Offen Anna von Berg'", "st = 'Aaaaa Aaaa aaa Aaaa'"),
    ],
)
def test_the_literals_of_sql_are_shapes(sql: str, expected: str) -> None:
    assert redact_definition(sql) == expected


def test_what_the_schema_declares_leaves_but_formats() -> None:
    item = column_item(
        table_item("t"),
        "st",
        details={
            "values": ["Closed Won", "waiting_for_customer_reply", "ada@example.org"],
            "check": "st IN ('Closed Won', 'ada@example.org')",
        },
    )
    assert Redactor().item(item).details == {
        "values": ["Closed Won", "waiting_for_customer_reply", "a***@e***.org"],
        "check": "st IN ('Closed Won', 'a***@e***.org')",
    }


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "1",
        "a1",
        "1-",
        ":",
        "AA11 ",
        "$a",
        "/*",
        "--",
        "E'",
        "via ",
        "1 a ",
        "x.",
        "@",
        "#",
        "sk-",
        "`a ",
    ],
)
def test_long_hostile_texts_end(piece: str) -> None:
    text = piece * (300_000 // len(piece))
    assert redact_text(text)  # quadratic would be hours
    assert mask("status", text, 1_000) == shape(text)
    redact_definition(text)


def test_numbers_and_names_that_a_check_declares() -> None:
    check = "tel <> 4915123456789 AND st IN ('open', 'Weber, Anna') AND n < 1000"
    item = column_item(table_item("t"), "c", details={"check": check})
    masked = Redactor().item(item).details["check"]
    assert masked == "tel <> 9999999999999 AND st IN ('open', 'Aaaaa, Aaaa') AND n < 1000"
    assert Redactor(samples=False).item(item).details == {}


@pytest.mark.parametrize("name", ["Weber,Anna", "WEBER, ANNA", "(Anna, Weber)", "Anna/Schmidt"])
def test_names_in_other_spellings(name: str) -> None:
    assert mask("status", name, 1_000) == shape(name)


LABELS = [f"Label{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(30)]  # in no dictionary


def test_keys_or_labels_from_thirty_on_are_a_map_by_something() -> None:
    keys = tuple((f"field_{n}", 90) for n in range(30))
    assert redact("doc", RawFacts(keys=keys[:29])).keys == tuple(key for key, _ in keys[:29])
    assert redact("doc", RawFacts(keys=keys)).keys == ()

    def declared(labels: list[str]) -> object:
        item = column_item(table_item("t"), "c", details={"values": labels})
        return Redactor().item(item).details.get("values")

    assert declared(LABELS[:29]) == LABELS[:29]
    assert declared(LABELS) is None
    codes = [f"K{n}" for n in range(30)]
    assert declared(codes) == codes


@pytest.mark.parametrize("counted", ["distinct", "seen", "values"])
def test_words_from_thirty_different_ones_on_are_names_of_something(counted: str) -> None:
    def samples(count: int) -> set[str]:
        some = LABELS[: count if counted == "values" else 10]
        counts = {} if counted == "values" else {counted: count}
        facts = redact("status", RawFacts(values=tuple((one, 90) for one in some), **counts))
        return set(facts.samples)

    assert len(samples(29) & set(LABELS)) >= 10
    assert samples(30) == {"Aaaaaaa"}


@pytest.mark.parametrize(
    ("rules", "most"),
    [({}, 32), ({"always": ("*.x",)}, 200)],
)
def test_a_value_longer_than_that_is_never_shown(
    rules: dict[str, tuple[str, ...]], most: int
) -> None:
    longest = ("in progress " * 20)[: most - 1] + "."
    assert ruled(longest, count=90, **rules) == longest
    assert ruled(longest + ".", count=90, **rules) == shape(longest + ".")


def test_a_declared_value_may_be_twice_as_long() -> None:
    longest = ("in progress " * 20)[:63] + "."
    item = column_item(table_item("t"), "c", details={"values": [longest, longest + "."]})
    assert Redactor().item(item).details["values"] == [longest, shape(longest + ".")]


@pytest.mark.parametrize("values", [True, False])
@pytest.mark.parametrize("samples", [True, False])
def test_literals_leave_as_shapes_where_both_allow_it(samples: bool, values: bool) -> None:
    shown = Redactor(samples=samples).sql("a = 'open'", values=values)
    assert shown == ("a = 'aaaa'" if samples and values else "a = '…'")


@pytest.mark.parametrize("place", [["open"], {"a": "open"}, {"a": ["open"]}, [("open",)]])
def test_facts_refuse_a_text_that_has_not_passed_at_any_depth(place: Any) -> None:
    with pytest.raises(TypeError, match="not passed the redactor"):
        ColumnFacts(known={"values": place})
    check_masked([Masked("open"), {"a": [Masked("open")]}, 3, None])


def test_comments_and_types_are_cut() -> None:
    item = column_item(table_item("t"), "c", comment="c" * 601, type="t" * 1_001)
    known = redact_column(item)
    assert (len(known["comment"]), len(Redactor().item(item).type)) == (600, 1_000)


def redact_column(item: Item) -> dict[str, Any]:
    """What a prompt has of a column of which only the schema is known."""
    return dict(Redactor().column(item, RawFacts()).as_json())


def test_keys_that_are_rare_or_no_names_of_fields_stay() -> None:
    keys = (("colour", 5), ("size", 4), ("two words", 90), ("a1b2c3d4e5f6", 90), ("7", 90))
    assert redact("doc", RawFacts(keys=keys)).keys == ("colour",)


def test_facts_are_the_same_when_the_journal_gives_them_back() -> None:
    item = column_item(table_item("t"), "c", details={"values": ["open"], "key": {"of": ["x"]}})
    known = redact_column(item)
    assert known == {"values": ["open"], "key": {"of": ["x"]}}
    assert facts_again(known).as_json() == known
    told = facts_again(known, answer="Ask ada@example.org").as_json()
    assert told == {**known, "answer": "Ask a***@e***.org"}


def test_sql_longer_than_200_000_characters_is_left_out() -> None:
    longest = "x" * 200_000
    assert redact_definition(longest) == longest
    assert redact_definition(longest + "x") == ""


def test_names_of_fields_that_are_data() -> None:
    item = column_item(
        table_item("t"), "c", type='STRUCT("anna@x.de" INT, "Hans Meier" INT, ok INT)'
    )
    assert Redactor().item(item).type == 'STRUCT("a***@x***.de" INT, "Aaaa Aaaaa" INT, ok INT)'
