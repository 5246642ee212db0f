"""Names of people and of columns in many scripts, and what is none."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amx_kimi.redact import Redactor, shape
from amx_kimi.types import RawFacts

from .helpers import column_item, mask, redact, table_item

MANY = {  # first or last names, as a column of many has them
    "han": "王伟 李娜 张敏 刘洋 陈杰 杨静 黄磊 周强",
    "one sign": "王 李 张 刘 陈 杨 黄 周",
    "kana": "さくら ハルト ひまり ソウタ ゆい レン めい ユウト",
    "hangul": "민준 서연 도윤 하은 시우 지우 예준 수아",
    "devanagari": "आरव प्रिया राहुल नेहा अमित पूजा विकास अंजलि",
    "arabic": "محمد فاطمة أحمد مريم علي زينب حسن نور",
    "thai": "สมชาย สมหญิง อนันต์ มาลี ประเสริฐ วิไล ธนา สุดา",
    "hebrew": "נועם מאיה איתי נועה יוסף תמר דוד שרה",
    "greek": "Γιώργος Μαρία Νίκος Ελένη Κώστας Άννα",
    "cyrillic": "Иван Мария Пётр Анна Олег Юлия",
    "short": "Bo Li Al Ng Jo Ed Ty Vi",
    "short capitals": "KIM LI NG CHO AU OH YI HU",
    "small": "anna otto ilse emil hugo irma",
    "short small": "ann bob tom eva mia kim",
}


def column_of(values: list[str], distinct: int, name: str = "c1", table: str = "t") -> list[str]:
    facts = RawFacts(0, distinct, min(values), max(values), tuple((v, 90) for v in values))
    return list(Redactor().column(column_item(table_item(table), name), facts).samples)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("kind", MANY)
def test_many_names_leave_as_shapes_in_every_script(kind: str, form: str) -> None:
    values = unicodedata.normalize(form, MANY[kind]).split()
    assert not set(column_of(values, 40)) & {value for value in values if value != shape(value)}


FULL = [
    *("Anna Schmidt", "ANNA SCHMIDT", "anna schmidt", "SCHMIDT Anna", "Anna von Berg", "K. Lang"),
    *("Mark Baker", "John Smith", "GRACE HALL", "Nguyễn Văn An", "Иван Петров", "ИВАН ПЕТРОВ"),
    *(
        "Γιώργος Παπαδόπουλος",
        "محمد علي",
        "राम शर्मा",
        "김 민수",
        "佐藤 花子",
        "สมชาย ใจดี",
        "דוד כהן",
    ),
    *(
        "Anna_Weber",
        "Anna.Weber",
        "anna.weber",
        "AnnaWeber",
        "Anna–Weber",
        "Anna Weber2",
        "Weber A",
    ),
    *("Baker Mark", "Li Na", "Amit Das", "Le Hoa", "Linh Do"),
    *("A Weber", "B. Hall", "B Zork", "Das Zork", "Zork, Blub", "zork blub", "Zork Blub3"),
    *("Open_Zork", "Anna Hall Weber", "Zork Anna-Lena", "Driver’s Zork"),
    *("Mehmet Yılmaz", "Łukasz Żuk", "José García", "Baker, Grace", "weber, anna", "Anna/Schmidt"),
]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("name", FULL)
def test_a_full_name_leaves_in_no_script(name: str, form: str) -> None:
    value = unicodedata.normalize(form, name)
    assert mask("c1", value, 1_000) == shape(value)


@pytest.mark.parametrize(
    "names",
    [
        "王伟 李娜 张敏 刘洋 陈杰",
        "欧阳娜娜 李明 司马光 王小明",
        "佐藤花子 鈴木一郎 高橋健 田中美咲",
        "김민수 이영희 박지훈 최서연",
    ],
)
def test_a_few_full_names_without_spaces_leave_as_shapes(names: str) -> None:
    assert not set(column_of(names.split(), 4)) & set(names.split())


HARMLESS = [
    "Credit Card|Bank Transfer|Gift Card|Cash on Delivery|Direct Debit",
    "Human Resources|Research and Development|Quality Assurance|Customer Support",
    "ORDER PLACED|READY TO SHIP|partially shipped|On Hold|Closed Won",
    "Type A|Class B|Vitamin C|Room 12|X-Ray",
    "Offene Rechnung|In Bearbeitung|Neuer Kunde|Technischer Einkauf",
    "Tarjeta Bancaria|En attente|Nowe Zamówienie|Kredi Kartı|Новый Заказ",
    "已完成|待付款|已发货|已取消",
    "周一|周二|周三|周四|周五",
    "黄色|白色|金色|蓝色",
    "완료|진행중|대기|취소",
    "partiallyFulfilledShipment|application/javascript|IN_PROGRESS",
    "Grace Period|Meeting Hall|Head Cook|Hope Center|Market Price",
    "B Hall|B. Open|We A|in Zork|open_zork|Zork 3|Zork, 12|part-time|driver's license",
    "North America|Middle East|United Kingdom|Latin America",
]


@pytest.mark.parametrize("values", HARMLESS)
def test_words_of_a_dictionary_are_no_names(values: str) -> None:
    assert column_of(values.split("|"), values.count("|") + 1) == values.split("|")


def test_many_ordinary_words_leave() -> None:
    values = ["Wooden Chair", "Office Desk", "Paper Towels", "Table Lamp", "Garden Hose"]
    assert column_of(values, 400) == values


@pytest.mark.parametrize(
    ("values", "distinct", "leave"),
    [
        # Of many, words that are not ordinary are names of something.
        ("EUR USD CHF GBP PLN", 180, True),  # codes of one length
        ("g kg cm mm ml m", 180, True),
        ("KIM LEE CHOI", 180, False),
        ("QXKZ K-1", 180, False),  # four letters in a row are a word, three capitals a code
        ("QXK K-1", 180, True),
        ("ann K-1", 180, False),
        ("an K-1", 180, True),
        ("Bo K-1", 180, False),
        ("BO K-1", 180, True),
        ("Zork Blub K-1 K-2", 180, False),  # half of them
        ("Zork Q-3 K-1 K-2", 180, True),
        ("Rose Grace Hope Mark", 180, False),  # in both dictionaries
        ("Zork Blub closed pending", 180, False),
        ("Zork open closed pending", 180, True),  # three of four are ordinary
        # Of a few, those that are written as names without a space are.
        ("黄金 白银 铜矿 王牌", 4, False),  # three of four begin with a surname
        ("黄金 白银 铜矿 铁矿", 4, True),
        ("佐々木小次郎", 1, False),
        ("佐々木小次郎本", 1, True),
        ("王小明", 1, False),
        ("王小明好", 1, True),
        ("欧阳娜娜", 1, False),
        ("欧阳", 1, True),  # a surname alone
        ("王", 1, True),
        ("김민수", 1, False),
        ("김민수현", 1, True),
    ],
)
def test_words_and_names_in_a_column(values: str, distinct: int, leave: bool) -> None:
    found = column_of(values.split(), distinct)
    assert found == (values.split() if leave else list(dict.fromkeys(map(shape, values.split()))))


def test_many_names_of_firms_leave_as_shapes() -> None:
    firms = ["Weber & Koch", "Meyer & Lang", "Schmidt + Co"]
    assert column_of(firms, 400) == ["Aaaaa & Aaaa", "Aaaaaaa + Aa"]


@pytest.mark.parametrize(("others", "leave"), [("gelb", False), ("gelb rot", True)])
def test_where_half_are_full_names_all_may_be(others: str, leave: bool) -> None:
    found = column_of(["Anna Schmidt", *others.split()], 3)
    assert ("gelb" in found) == leave


PERSONAL_COLUMNS = (
    "姓名 联系人 电话 xingming 氏名 フリガナ 住所 이름 전화번호 имя фамилия отчество адрес "
    "isim soyadı SOYADI dogum_tarihi doğumTarihi apellido nombre_completo direccion nome "
    "cognome codiceFiscale nazwisko imie الاسم الهاتف שם_משפחה नाम ชื่อ ονομα ho_ten "
    "prenom nom_famille achternaam geboortedatum sukunimi jmeno prezime nume alamat jina "
    "dob date_of_birth birthday geburtsdatum pw pass otp cvv pin hash salt puk "
    "security_code apiKey totp_seed tan"
).split()


@pytest.mark.parametrize("column", PERSONAL_COLUMNS)
def test_columns_that_sound_personal_in_any_language(column: str) -> None:
    assert mask(column, "Xy", 10_000) == "Aa"
    assert mask(unicodedata.normalize("NFD", column), "Xy", 10_000) == "Aa"


HARMLESS_COLUMNS = (
    "country_name product_name ProductName filename card_type cardType telemetry "
    "contact_type user_role email_status address_format phone_type customer_segment "
    "is_email_verified tipo_tarjeta nombre_producto 产品名称 用户类型 商品名 capacity "
    "velocity export import transport template spin monkey keyboard currency ship tooltip "
    "market_cap"
).split()


@pytest.mark.parametrize("column", HARMLESS_COLUMNS)
def test_columns_whose_names_only_sound_so(column: str) -> None:
    assert mask(column, "Xy", 10_000) == "Xy"


PEOPLE_AFTER_THINGS = (
    "family_name FamilyName familyname family_names host_name subject_name star_name stage_name "
    "entity_name resource_name teilnehmer_name projektleiter_name abteilungsleiter_name "
    "spieler_name klassenlehrer_name kursleiter_name lagerist_name landwirt_name staatsanwalt_name "
    "systembenutzer_name teamleader_name line_manager_name productowner_name name_line_1 NameLine1 "
    "store_manager_name project_lead_name school_teacher_name account_name address_delivery "
    "address_origin address_present"
).split()


@pytest.mark.parametrize("column", PEOPLE_AFTER_THINGS)
def test_people_whose_word_begins_as_a_things_does(column: str) -> None:
    assert not set(column_of(MANY["short"].split(), 40, column)) & set(MANY["short"].split())
    assert mask(column, "Xy", 10_000) == "Aa"


@pytest.mark.parametrize(
    ("table", "leaves"),
    [
        *(("countries", True), ("product_categories", True), ("Currency", True)),
        *(("product_list", True), ("dim_country", True), ("users", False), ("families", False)),
        *(("customer_list", False), ("staff_list", False), ("employee_data", False)),
        *(("patient_file", False), ("person_table", False), ("hosts", False), ("list", False)),
        *(("teilnehmer", False), ("projektleiter", False), ("", False)),
    ],
)
def test_a_bare_name_is_what_its_table_says(table: str, leaves: bool) -> None:
    values = ["Wakanda", "Genovia", "Ruritania"]
    assert (column_of(values, 200, "name", table) == values) is leaves


FORMATS = [
    *("Am Bach 3a", "An der Alten Post 12", "Unter den Linden 77", "Im Winkel 4", "Musterhof 3"),
    *("80331 München", "D-80331 München", "1010 Wien", "111 22 Stockholm", "SW1A 1AA"),
    *("www.example.de/u/7", "example.com/~anna", "anna-schmidt.de", "example.org:8080/x"),
    *("001a.2b3c.4d5e", "001A2B3C4D5E", "00-1a-2b-3c-4d-5e", "00:1a:2b:3c:4d:5e"),
    *("::ffff:10.1.2.3", "fe80::1", "2001:db8::8a2e:370:7334", "1:2:3:4:5:6:7:8"),
    *("48.1, 11.6", "48.13;11.57", "-33.9,18.4", "48° 8' N"),
    *("ул. Ленина 5", "Atatürk Caddesi 12", "中山路12号", "1丁目2番地"),
]


@pytest.mark.parametrize("value", FORMATS)
def test_addresses_of_every_kind(value: str) -> None:
    assert mask("c1", value, 10_000) == shape(value)


@pytest.mark.parametrize(
    "value", ["10:30", "10:30:00", "1.2.3", "v1.2", "a/b", "Node.js", "EUR/USD"]
)
def test_what_only_looks_like_an_address(value: str) -> None:
    assert mask("c1", value, 10_000) == value


@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=12))
def test_no_text_breaks_the_rules(value: str, column: str) -> None:
    masked = mask(column, value, 1_000)
    assert masked in (value, shape(value))
    assert redact(column, RawFacts(0, 50, value, value, ((value, 9),))).samples
