"""The sample database of `amx-kimi demo`: an invented legacy ERP, with the same rows for each seed.

`erp.sql` defines its schema, with a recipe for each simple column. The code below creates what
belongs together: parties, items, and an order's lines, delivery, invoice, payment and stock
movements. Nobody in it exists: mail goes to `.example`, and IBANs have correct check digits but no
such bank.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from importlib import resources
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, TypeVar

__all__ = ["build_sqlite", "rows", "statements"]

T = TypeVar("T")
Record = dict[str, Any]

_TODAY = date(2024, 12, 31)  # fixed: the rows must not depend on the day they are made
_CENT = Decimal("0.01")
_AREAS = "Verwaltung Vertrieb Einkauf Lager Fertigung Montage Instandhaltung Prüffeld"
_FIRMS = "Nordwerk Talheimer Veldsen Karoma Brennhof Sturmfels Alvenstedt Rotbach Elsterau Quandel"
_TRADES = "Metallbau Antriebe Armaturen Handel Werkzeuge Pumpen Maschinen Fördertechnik"
_FORMS = ("GmbH", "GmbH & Co. KG", "AG", "KG", "OHG", "e.K.")
_TOWNS = (
    *("DE 20457 Hamburg", "DE 33602 Bielefeld", "DE 45127 Essen", "DE 90402 Nürnberg"),
    *("DE 04109 Leipzig", "AT 4020 Linz", "CH 8400 Winterthur", "NL 3011 Rotterdam"),
)
# Berlin's block is kept free for fiction by the regulator; the others can't be dialled.
_PHONE = {"DE": "+49 30 23125", "AT": "+43 1 0000", "CH": "+41 44 0000", "NL": "+31 10 0000"}
_IBAN = {"DE": ("000", 15), "AT": ("000", 13), "CH": ("000", 14), "NL": ("XMPL", 10)}
_RATE = {"EUR": Decimal("1.00000"), "CHF": Decimal("0.95340")}
_CAST: Record = {"smallint": int, "integer": int, "numeric": Decimal, "date": date.fromisoformat}
_DAYS = {"Z030": 30, "Z014": 14, "Z060": 60, "S210": 30, "VK00": 0}
_PARTS = {  # goods group, lowest and highest price, names
    "FE": (10, 90, 2400, "Getriebemotor Kreiselpumpe Schneckenförderer Stellantrieb Kupplung"),
    "HA": (20, 8, 90, "Welle Gehäuse Flansch Zahnrad Lagerbock Laufrad"),
    "RO": (30, 1, 20, "Rundstahl Blech Messingstange Graugussrohling"),
    "HW": (41, 1, 60, "Wellendichtring Rillenkugellager O-Ring Keilriemen Schmierfett"),
}
_MOVES = {"601": ("H", "400000"), "101": ("S", "191100"), "701": ("S", "233000")}
_NOTES = (
    "Kunde wünscht Anlieferung nur vormittags, Rampe 3, vorher beim Pförtner melden.",
    "Bei Verzug sofort den Außendienst informieren, Pönale 0,5 % je Woche vereinbart.",
    "Zeichnung Rev. C gilt, Rev. B liegt noch in der Fertigung und ist zu vernichten.",
    "Price agreed by phone, confirmation to follow, do not invoice before release.",
)


def statements() -> list[str]:
    """The DDL statements of `erp.sql`, without comments."""
    code = "\n".join(line.partition("--")[0].rstrip() for line in _text().splitlines())
    return [part.strip() for part in code.split(";") if part.strip()]


def rows(seed: int = 7, scale: int = 1) -> Iterator[tuple[str, list[tuple[object, ...]]]]:
    """Each table's name and rows, in the order of its columns, referenced tables first."""
    made = _Erp(seed, scale).made
    for table, columns in _shape().items():
        yield table, [tuple(record[column] for column in columns) for record in made[table]]


def build_sqlite(path: Path, seed: int = 7) -> None:
    """Create the database at `path`, whole or not at all; `FileExistsError` if there is one."""
    path.open("xb").close()
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            _load(connection, seed)
    except BaseException:
        path.unlink()
        raise


def _load(connection: sqlite3.Connection, seed: int) -> None:
    connection.execute("pragma foreign_keys = on")
    connection.execute("begin")
    for statement in statements():
        connection.execute(statement)
    for table, records in rows(seed):
        marks = ", ".join("?" * len(records[0]))
        insert = f"insert into {table} values ({marks})"
        connection.executemany(insert, (tuple(map(_plain, record)) for record in records))
    connection.execute("commit")
    connection.execute("analyze")


def _plain(value: object) -> object:
    """What sqlite3 takes without its adapters, which Python 3.12 deprecates."""
    return str(value) if isinstance(value, date | Decimal) else value


def _text() -> str:
    return resources.files("amx_kimi.demo").joinpath("erp.sql").read_text(encoding="utf-8")


def _ascii(text: str) -> str:
    return text.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue")


class _Recipe(NamedTuple):
    kind: str
    share: int
    words: list[str]


def _shape() -> dict[str, dict[str, _Recipe]]:
    line = r"^ {4}(?!primary|foreign)(\w+) (\w+)[^-\n]*(?:-- (?:(\d+)% )?(.*))?$"
    return {
        table: {
            name: _Recipe(kind, int(share or 100), words.split())
            for name, kind, share, words in re.findall(line, body, re.MULTILINE)
        }
        for table, body in re.findall(r"^create table (\w+) \((.*?)^\);", _text(), re.M | re.S)
    }


class _Dice:
    """Random choices; uses only `Random.random`, which is the same in every Python."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed).random

    def number(self, low: int, high: int) -> int:
        return low + int(self._random() * (high - low + 1))

    def maybe(self, percent: int) -> bool:
        return self._random() * 100 < percent

    def pick(self, values: Sequence[T]) -> T:
        return values[self.number(0, len(values) - 1)]

    def word(self, text: str) -> str:
        return self.pick(text.split())

    def digits(self, count: int) -> str:
        return str(self.number(0, 10**count - 1)).zfill(count)

    def after(self, day: date, low: int, high: int) -> date:
        return day + timedelta(self.number(low, high))

    def between(self, low: str, high: str) -> object:
        if "-" in low:
            first = date.fromisoformat(low)
            return self.after(first, 0, (date.fromisoformat(high) - first).days)
        places = len(low.partition(".")[2])
        least = int(low.replace(".", ""))
        most = int(high.replace(".", ""))
        number = self.number(least, most)
        return Decimal(number).scaleb(-places) if places else number

    def iban(self, lkz: str) -> str:
        bank, count = _IBAN[lkz]
        account = bank + self.digits(count)
        digits = [str(int(char, 36)) for char in f"{account}{lkz}00"]
        number = int("".join(digits))
        return f"{lkz}{98 - number % 97:02d}{account}"


class _Erp(_Dice):
    """The whole company: master data first, then every order with what follows from it."""

    def __init__(self, seed: int, scale: int) -> None:
        super().__init__(seed)
        self.shape = _shape()
        self.made: dict[str, list[Record]] = {table: [] for table in self.shape}
        self.place: dict[str, Record] = {}
        self._organisation(60 * scale)
        for table, count in (("kdstm", 120), ("liefst", 45)):
            for _ in range(count * scale):
                self.add(table, self._party())
        for nr in range(1, 1 + 180 * scale):
            self._item(nr)
        self._boms()
        self.sold = self._items("FE", "HW")
        self.bought = self._items("RO", "HW")
        first_day = date(2023, 1, 2)
        for order, count in ((self._order, 140), (self._purchase, 60)):
            days = [self.after(first_day, 0, 720) for _ in range(count * scale)]
            for day in sorted(days):
                order(day)
        for item in self.made["artst"][::8]:
            amount = Decimal(self.number(1, 9))
            self._move("701", date(2024, 11, 30), [(item, amount)], {})
        for table, key, sort in (("kdstm", "kdnr", "KD"), ("artst", "artnr", "AR")):
            for record in self.made[table][::4]:
                self.add("zusfl", objar=sort, objnr=str(record[key]))

    def add(self, table: str, *parents: Record, **given: Any) -> Record:
        """A row; missing values come from their recipe, or the parent's column of the same name."""
        row = dict(given)
        for column, recipe in self.shape[table].items():
            if recipe.words and column not in given:
                row[column] = self._cook(table, recipe, row) if self.maybe(recipe.share) else None
            elif column not in given:
                row[column] = next((p[column] for p in parents if column in p), None)
        self.made[table].append(row)
        return row

    def _cook(self, table: str, recipe: _Recipe, row: Record) -> object:
        word = self.pick(recipe.words)
        low, dots, high = word.partition("..")
        if word.startswith("@"):
            source, _, column = word[1:].partition(".")
            return self.pick(self.made[source])[column]
        if word.endswith("++"):
            return int(word[:-2]) + len(self.made[table])
        if "+" in low and dots:
            base, _, days = low.partition("+")
            day = self.after(row[base], int(days), int(high))
            hour = time(self.number(6, 18), self.number(0, 59))
            return datetime.combine(day, hour) if recipe.kind == "timestamp" else day
        if dots:
            return self.between(low, high)
        text = re.sub("#", lambda _: self.digits(1), word.replace("_", " "))
        return _CAST[recipe.kind](text) if recipe.kind in _CAST else text

    def _sample(self, column: str) -> str:
        return str(self._cook("pers", self.shape["pers"][column], {}))

    def _items(self, *kinds: str) -> list[Record]:
        return [item for item in self.made["artst"] if item["artkz"] in kinds]

    def _organisation(self, people: int) -> None:
        for nr, area in enumerate(_AREAS.split(), 1):
            for sub in range(5):
                above = {"kstart": "VEELFFHH"[nr - 1], "uebkst": f"{nr}00000" if sub else None}
                bez = f"{area} {sub or 'gesamt'}"
                self.add("kstst", above, kst=f"{nr}{sub}0000", bez=bez)
        for nr in range(people):
            last, first = self._sample("nname"), self._sample("vname")
            name = {"nname": last, "vname": first, "iban": self.iban("DE")}
            name["anrkz"] = "F" if first[-1] in "ae" else "H"
            short = f"{first[0]}{last}".lower()
            name["kuerz"] = _ascii(short).upper()[:8]
            name["email"] = _ascii(f"{first}.{last}@kessel-rohr.example".lower())
            person = self.add("pers", **name, **({} if nr > 6 else {"vorges": None}))
            person["stat"] = "A" if person["austdt"] else "1"
        for werk in ("1000", "1100", "2000", "3000"):
            party = self._party()
            for nr in range(1, 11):
                bez = f"Lager {werk}/{nr}"
                self.add("wkstr", party, werk=werk, lgort=f"{nr:04d}", bez=bez)

    def _party(self) -> Record:
        """What customers, suppliers and plants have in common."""
        lkz, plz, ort = self.pick(_TOWNS).split()
        firm = self.word(_FIRMS)
        last, first = self._sample("nname"), self._sample("vname")
        title = "Frau" if first[-1] in "ae" else "Herr"
        name = f"{firm} {self.word(_TRADES)} {self.pick(_FORMS)}"
        return {
            **{"plz": plz, "ort": ort, "lkz": lkz, "name1": name, "suchb": name.upper()[:10]},
            "anspr": f"{title} {first} {last}",
            "tel": f"{_PHONE[lkz]}{self.digits(3)}",
            "email": _ascii(f"{first[0]}.{last}@{firm}.example".lower()),
            "ustid": None if lkz == "CH" else f"{lkz}{self.digits(9)}",
            "iban": self.iban(lkz),
            "waers": "CHF" if lkz == "CH" else "EUR",
        }

    def _item(self, nr: int) -> None:
        kind = self.word("FE HA HA RO HW HW")
        wgr, low, high, names = _PARTS[kind]
        word = self.word(names)
        length, width = self.number(2, 40) * 5, self.number(2, 30)
        name = f"{word} {length}x{width}"
        price = Decimal(self.number(low * 100, high * 100)).scaleb(-2)
        head: Record = {"artnr": f"{wgr}-{nr:05d}", "wgr": str(wgr), "artkz": kind, "bez1": name}
        head["meins"] = self.word("KG M") if kind == "RO" else "ST"
        head["hlief" if kind in ("FE", "HA") else "zchnr"] = None
        item = self.add("artst", **head, stdpr=price)
        item["umrf"] = item["vkme"] and Decimal(50)
        places = {nr * 7 % 40, nr * self.pick([7, 11]) % 40}
        for place in sorted(places):
            shelf = self.made["wkstr"][place]
            self.place[item["artnr"]] = self.add("lgbst", item, shelf, gldpr=price)
        factors = (("EV", 19), ("HD", 16)) if kind in ("FE", "HW") else ()
        for plkz, factor in factors:
            for amount in (1, 50) if kind == "HW" else (1,):
                each = (price * factor * (100 - amount // 5) / 1000).quantize(_CENT)
                self.add("preis", item, plkz=plkz, abmng=Decimal(amount), epreis=each)

    def _boms(self) -> None:
        for kind, below, lines in (("FE", ("HA", "HW"), 4), ("HA", ("RO",), 1)):
            parts = self._items(*below)
            for head in self._items(kind):
                for nr in range(10, 10 + 10 * lines, 10):
                    part = self.pick(parts)
                    self.add("stueli", part, posnr=nr, kopfnr=head["artnr"], kompnr=part["artnr"])

    def _order(self, day: date) -> None:
        kd = self.pick(self.made["kdstm"])
        late = (_TODAY - day).days > 60
        stat = self.word("30 40 50 50 50 50 50 50 50 90" if late else "10 20 30")
        contact = f"{kd['anspr']}, {kd['tel']}, {kd['email']}"
        ask = f" Rückfragen: {contact}."
        notes = [self.pick(_NOTES) for _ in range(self.number(1, 6))]
        note = " ".join(notes) + ask
        reason = self.word("04 11") if stat == "90" else None
        text = note if self.maybe(35) else None
        own = {"aufdt": day, "stat": stat, "abgrd": reason}
        own |= {"kurs": _RATE[kd["waers"]], "intxt": text}
        head = self.add("aufk", kd, **own, netto=Decimal(0), mwst=Decimal(0))
        count = self.number(1, 4)
        lines = [self._line(head, self.pick(self.sold), nr, kd) for nr in range(count)]
        if stat in ("30", "40", "50"):
            delivery = self.add("liefk", head, lfdt=self.after(day, 3, 20))
            goods = [(line, line["gelmg"]) for line in lines]
            self._move("601", delivery["lfdt"], goods, head)
            if stat == "50":
                self._invoice(head, delivery, kd)

    def _line(self, head: Record, item: Record, nr: int, kd: Record) -> Record:
        lot = 25 if item["artkz"] == "HW" else 1
        amount = Decimal(self.number(1, 8) * lot)
        each = (item["stdpr"] * Decimal("1.6") * head["kurs"]).quantize(_CENT)
        percent = 100 - (head["rabpz"] or 0)
        net = (amount * each * percent / 100).quantize(_CENT)
        mwskz = {"DE": item["mwskz"], "CH": "A0"}.get(kd["lkz"], "AI")
        head["netto"] += net
        tax = {"A1": 19, "A2": 7}.get(mwskz, 0)
        head["mwst"] += (net * tax / 100).quantize(_CENT)
        own = {"posnr": nr * 10 + 10, "menge": amount, "epreis": each, "netto": net, "mwskz": mwskz}
        delivered = {"30": amount // 2, "40": amount, "50": amount}
        own["gelmg"] = delivered.get(head["stat"], Decimal(0))
        return self.add("aufp", head, item, **own)

    def _invoice(self, head: Record, delivery: Record, kd: Record) -> None:
        billed = self.after(delivery["lfdt"], 0, 4)
        due = billed + timedelta(_DAYS[head["zbed"]])
        gross = head["netto"] + head["mwst"]
        paid = self.after(billed, 3, 60)
        part = gross if self.maybe(90) else (gross / 2).quantize(_CENT)
        part = part if paid < _TODAY and self.maybe(85) else Decimal(0)
        late = (_TODAY - due).days
        level = min(3, max(0, late // 60)) if part < gross else 0
        own = {"rechdt": billed, "faeldt": due, "brutto": gross, "offen": gross - part}
        own |= {"mahnst": level, "mahndt": self.after(due, 10, 50) if level else None}
        bill = self.add("rechk", head, delivery, **own)
        if part:
            has_discount = head["zbed"] == "S210" and paid < due
            off = (part / 50).quantize(_CENT) if has_discount else None
            text = f"RE {bill['rechnr']} v. {billed:%d.%m.%Y} {kd['name1']}"
            own = {"zdat": paid, "betr": part - (off or 0), "skbtr": off, "vwzwk": text}
            self.add("zahl", bill, kd, **own)
        elif self.maybe(30):
            bill |= {"offen": Decimal(0), "mahnst": 0, "mahndt": None}
            undo = {column: -bill[column] for column in ("netto", "mwst", "brutto")}
            self.add("rechk", bill, **undo, rechar="GS", storn=bill["rechnr"])

    def _purchase(self, day: date) -> None:
        stat = self.word("40 40 40 40 30 90" if (_TODAY - day).days > 60 else "10 20")
        vendor = self.pick(self.made["liefst"])
        head = self.add("bestk", vendor, bstdt=day, stat=stat, wert=Decimal(0))
        goods = []
        for nr in range(10, 10 * self.number(2, 5), 10):
            item = self.pick(self.bought)
            amount = Decimal(self.number(1, 40) * 10)
            got = {"40": amount, "30": amount // 2}.get(stat, Decimal(0))
            head["wert"] += amount * item["stdpr"]
            own = {"posnr": nr, "menge": amount, "epreis": item["stdpr"], "wemg": got}
            line = self.add("bestp", head, item, self.place[item["artnr"]], **own)
            goods.append((line, got))
        if stat in ("30", "40"):
            self._move("101", self.after(day, 5, 30), goods, head)

    def _move(self, bwart: str, day: date, goods: list[tuple[Record, Decimal]], of: Record) -> None:
        shkz, gkto = _MOVES[bwart]
        moves = self.made["mabu"]
        belnr = moves[-1]["belnr"] + 1 if moves else 4900001
        for nr, (line, amount) in enumerate((pair for pair in goods if pair[1]), 1):
            stock = self.place[line["artnr"]]
            own = {"belnr": belnr, "buzl": nr, "bwart": bwart, "buchdt": day, "menge": amount}
            own |= {"betr": (amount * stock["gldpr"]).quantize(_CENT), "shkz": shkz}
            self.add("mabu", of, line, stock, **own, kto="300000", gkto=gkto)
