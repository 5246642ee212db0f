"""Wordings as plain text: what is markup goes, what only looks like it stays."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amx_kimi.annotate.plain import plain_text

PIECES = (
    *("<", ">", "</", "/>", "b", "script", "img src=x", "<!--", "-->", "[", "]", "](", ")", "[/"),
    *("https://evil.example/x", "www.evil.example", "mail@evil.example", "*", "**", "`", "#", "_"),
    *("word", " ", "\n", "\x1b[31m", "\u202e", "\u200b", "javascript:alert(1)", "[bold]", "€", "0"),
)


@pytest.mark.parametrize(
    "text",
    [
        "Number of items per order, 0 < n <= 99.",
        "A list<string> or ARRAY<INT>, such as [0, 1] or [EUR].",
        "Price * quantity, and 2 * 3 * 4; cust_id and __typename stay.",
        "# of orders (open ones), see sales.orders.status.",
        "1. Mahnstufe, 2. Mahnstufe; ratio a:b, e.g. C++ and A+B.",
        "It's 5 % of “net” – über 100 €; 客户编号。",
        "Time of day, 12:30; a path such as /var/data; and/or.",
        "On/off flag: [on] means active [sic].",
        "Set if a <b and nothing else, or x <i.",
        "Value 5 <a and b> 3, rows where x <y and z = 1 are active.",
        "Amount where a <b and c, p <p 0.05, NOT EQUAL <!x, if a <?b then c.",
        "Unit [1/s] or [/h], path [/var/data]; [red] or [green] signal; array[code].",
        "f[x](y) and A[i](j); (*) mandatory, (*) see note.",
        "Starts with http:// or https://, by contract.",
        "Duration of the call [s], current [i], size [b].",
        "> 0 if it is active, in javascript: see the code; master data:customer/supplier.",
        "Status, one of [red, yellow, green] or [red].",
        "Version of node.js; the file orders.csv.",
    ],
)
def test_what_only_looks_like_markup_stays(text: str) -> None:
    assert plain_text(text) == text


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<b>Net</b> amount<br/>of it", "Net amountof it"),
        ("A <script>alert(1)</script> b", "A alert(1) b"),
        ("<img src=x onerror=alert(1)>Amount", "Amount"),
        ("x <scr<b>ipt>y</scr</b>ipt>", "x y"),
        ("<!-- hidden --> A", "A"),
        ("Open <img src=x", "Open"),
        ("See [the page](https://evil.example/a_(b)) now", "See the page now"),
        ("![pixel](https://evil.example/x.png)Amount", "pixelAmount"),
        ("See https://evil.example/x, or www.evil.example.", "See (link) or (link)"),
        ("See <https://evil.example> now", "See (link) now"),
        ("نمی\u200cدانم", "نمی دانم"),
        ("Foreign key <table>_id, <code> to <name>", "Foreign key table_id, code to <name>"),
        ("<xss onfocus=alert(1)>x</xss> <custom-el onclick='x'>y", "x</xss> y"),
        ("data:,hello or //evil.example/x", "(link) or (link)"),
        ("[@click=app.bell]x[/] [#ff0000]y", "x y"),
        ("javascript:alert(1) or data:text/html;base64,AAAA", "(link) or (link)"),
        ("ask mail@evil.example.com", "ask (link)"),
        ("[bold red]alarm[/] and [link=https://x.y]here[/link]", "alarm and here"),
        ("[b]x[/b]", "x"),
        ("**Net** amount, *gross* and `code`, ```all```", "Net amount, gross and code, all"),
        ("## Heading\nof it", "Heading of it"),
        ("\x1b[31mred\x1b[0m\x07", "red"),
        ("\u202egnp.exe\u202c zero\u200bwidth", "gnp.exe zerowidth"),
        ("two\r\nlines\x00\x85", "two lines"),
    ],
)
def test_what_is_markup_goes(text: str, plain: str) -> None:
    assert plain_text(text) == plain


def test_it_stays_when_it_is_wanted() -> None:
    text = "**Net** amount, see [docs](https://intra.example/x)."
    assert plain_text(text, markup=True) == text
    assert plain_text("a\x1b[0mb\n" + text, markup=True) == "a [0mb " + text


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_nothing_of_it_is_left(text: str) -> None:
    plain = plain_text(text)
    assert plain.isprintable()
    assert not re.search(r"</?(?:script|img)(?:[\s/][^<>]*)?>|<img [^<>]*src=|</?b>", plain)
    assert not re.search(r"<!--|://\w|\bjavascript:\S|\[/\]", plain)
    assert plain_text(plain) == plain


def test_markup_in_markup_has_an_end() -> None:
    hidden = " https:<//evil.example/x java<script:alert(1) ww<w.evil.example"
    plain = plain_text("<" * 12 + "b>" * 12 + hidden)
    assert plain_text(plain) == plain
    assert not re.search("://|javascript:|www", plain)


@given(st.text())
def test_any_text_is_a_bounded_line(text: str) -> None:
    for markup in (False, True):
        plain = plain_text(text, markup=markup)
        assert len(plain) <= 4_000
        assert plain == " ".join(plain.split())
        assert plain.isprintable()


@pytest.mark.parametrize("piece", [*PIECES, "<b", "![", "*a", "a@", "[b=", "<!-", "http://", "(("])
def test_no_text_takes_long(piece: str) -> None:
    begun = time.process_time()
    plain_text(piece * 100_000)
    assert time.process_time() - begun < 2.0  # thousands of times what it takes


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<math><mtext><mglyph><img src=x onerror=alert(1)></mtext></math>Net", "Net"),
        ("<mtext><mglyph>Net", "Net"),
        ("<!channel> <@U123> Net <#C12|x>", "Net"),
        ("<set attributeName=x>Net</set>", "Net"),
        ("<svg><foreignObject><use href=x>Net", "Net"),
        ("<rtc><noembed>Net", "Net"),
        ("See [[Page|https://evil.example]] now", "See (link) now"),
        ("See [[Page|the page]] and [[Other page]]", "See the page and Other page"),
    ],
)
def test_markup_of_other_tongues(text: str, plain: str) -> None:
    assert plain_text(text) == plain


def test_nested_lists_are_no_links_of_a_wiki() -> None:
    assert plain_text("A matrix [[1, 2], [3, 4]] or [[1]]") == "A matrix [[1, 2], [3, 4]] or [[1]]"
