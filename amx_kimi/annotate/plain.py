"""A model's text as plain text: one line of limited length, without controls, links or markup.

Data in a table may tell the model to write a link, which a catalog's pages would then show. HTML,
Markdown, BBCode and rich's markup are removed. `list<string>`, `[0, 1]`, `a * b` and `snake_case`
are not markup.
"""

import re

from amx_kimi.text import printable, without_marks

__all__ = ["plain_text"]

_LONGEST = 4_000
_MOST_PASSES = 8  # removing markup may create new markup: <scr<b>ipt>
_LINK = "(link)"
_NON_JOINER = "\u200c"  # separates words in Persian, so it becomes a blank
_TAGS = (
    "abbr acronym applet aside audio base bgsound big blink blockquote br canvas dd del "
    "details dialog div dl dt em embed fieldset figure footer font form frame frameset h[1-6] hr "
    "html iframe img input ins isindex kbd keygen li listing marquee math nobr noembed noframes "
    "noscript object ol param plaintext pre rb rp rt rtc samp script select small span strike "
    "strong style sub sup svg tbody td template textarea tfoot th thead tr tt ul video wbr xmp "
    # MathML's and SVG's
    "annotation-xml maction maligngroup malignmark menclose merror mfenced mfrac mglyph "
    "mlabeledtr mmultiscripts mover mpadded mphantom mprescripts mroot mrow mspace msqrt mstyle "
    "msub msubsup msup mtable mtd mtext mtr munder munderover semantics animate animatemotion "
    "animatetransform clippath defs fe\\w+ foreignobject lineargradient polygon polyline "
    "radialgradient tspan use"
).replace(" ", "|")
# Words that may be in brackets without being markup, such as a placeholder `<table>`.
_WORDS = (
    "area article body button caption center code col data head header image label legend link "
    "main map mark menu meta nav option output picture ruby section source summary table time "
    "title track var annotation basefont desc g mi mn mo ms path rect search set slot text"
).replace(" ", "|")
_ACTIVE = r"on\w+|src|srcset|href|style|action|formaction|poster|background"
_STYLES = "bold|italic|underline|strike|blink|reverse|dim|conceal|url|img"
# These may have other meanings, such as a unit in `[s]`: markup only if there is a closing tag.
_SHORT = "b|i|u|s|link|code|color|size|quote|black|red|green|yellow|blue|magenta|cyan|white|on"
_PAIRED = re.compile(rf"\[(?:{_SHORT})(?=[\s=\]])[^\[\]]*+\]", re.IGNORECASE)
_CLOSER = re.compile(rf"\[/(?:{_STYLES}|{_SHORT})?\]", re.IGNORECASE)
_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]*+[ -/]*+[@-~]|\][^\x07\x1b]*+(?:\x07|\x1b\\))")
_RULES = tuple(
    (re.compile(pattern, re.IGNORECASE | re.MULTILINE), by)
    for pattern, by in (
        (
            r"<!--(?:[^-]|-(?!->))*+(?:-->)?|<!(?:doctype|\[cdata\[)[^<>]*+>?|<\?(?:xml|php)[^<>]*+>?",
            "",
        ),
        (rf"</?(?:{_TAGS})(?=[\s/>])[^<>]*+>", ""),
        (r"</?[abipqsu](?:\s*+/?|\s[^<>=]*+=[^<>]*+)>", ""),  # not `5 <a and b> 3`
        (rf"</(?:{_WORDS})\s*+>|<(?:{_WORDS})[\s/][^<>]*+>", ""),
        (rf"<({_WORDS})>", r"\1"),
        (r"<[@#!][\w|-]{2,}>", ""),  # a chat's mentions
        (rf"</?[a-z][\w:-]*+[\s/][^<>]*?\b(?:{_ACTIVE})\s*+=[^<>]*+>?", ""),
        (r"!?\[([^\[\]]*+)\]\((?=[^()]*[:/.#])[^()]*+(?:\([^()]*+\)[^()]*+)*+\)", r"\1"),
        (r"\[\[[^\[\]|]*+\|([^\[\]]*+)\]\]", r"\1"),  # a wiki's links
        (r"\[\[(?=[^\[\]]*[^\W\d_]{2})([^\[\]|]++)\]\]", r"\1"),
        (rf"\[/(?:{_STYLES}|{_SHORT})?\]|\[(?:{_STYLES})(?=[\s=\]])[^\[\]]*+\]", ""),
        (r"\[(?:link=|@\w|#[0-9a-f]{3})[^\[\]]*+\]", ""),
        (
            r"<?(?:[a-z][a-z0-9+.-]{1,15}://(?=[\w\[])|\b(?:www\.(?=\w)|mailto:|(?:java|vb)script:(?=\S)|"
            r"data:(?:(?:text|image|application)/|[;,]))|(?<![:\w/])//(?=[\w-]+\.\w))"
            r"(?:[^\s<>\"'`()\]]|\([^\s<>\"'`()]*+\))*+>?",
            _LINK,
        ),
        (r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}\.[\w.-]{2,63}", _LINK),
        (r"(?<![\w*])(\*{1,3})(?![\s*])([^*()]+)(?<!\s)\1(?![\w*])", r"\2"),
        (r"(`{1,3})([^`]++)\1", r"\2"),
        (r"^\s*+#{2,6}\s+", ""),
    )
)


def plain_text(text: str, *, markup: bool = False) -> str:
    """One line of at most 4,000 characters, without control characters.

    Without `markup`, markup is removed and each link becomes `(link)`.
    """
    bounded = text[: 2 * _LONGEST]
    if not markup:
        bounded = _without_markup(bounded)
    return _one_line(bounded)[:_LONGEST].rstrip()


def _one_line(text: str) -> str:
    """A line without control characters; all kinds of blanks become plain ones."""
    plain = printable(text)
    return " ".join(plain.split())


def _without_markup(text: str) -> str:
    text = _ESCAPE.sub("", text)
    # Invisible characters would split markup that a reader sees as one.
    text = printable(without_marks(text, keep=_NON_JOINER), keep="\n")
    closes = _CLOSER.search(text)
    for _ in range(_MOST_PASSES):
        before = text
        text = _PAIRED.sub("", text) if closes else text
        for pattern, by in _RULES:
            text = pattern.sub(by, text)
        if text == before:
            return text
    return re.sub(r"[<>\[\]`*:@]|//|www\.", " ", text)
