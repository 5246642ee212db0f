"""Record `amx-kimi demo` in a terminal of fixed size as docs/demo.svg: `make picture`.

The output is the program's own; only its middle is left out, marked by an ellipsis.
"""

import re
import sys
import tempfile
from io import StringIO
from itertools import groupby
from pathlib import Path

import pexpect
import pyte
from pyte.screens import Char
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

COLUMNS, LINES = 100, 30
PROGRAM = Path(sys.executable).with_name("amx-kimi")
PICTURE = Path(__file__).with_name("demo.svg")
THEME = TerminalTheme(
    (22, 27, 34),
    (214, 221, 229),
    [
        *((72, 79, 88), (255, 123, 114), (86, 211, 100), (227, 179, 65)),
        *((121, 192, 255), (210, 168, 255), (86, 212, 221), (214, 221, 229)),
    ],
)


def recorded() -> list[Text]:
    """Every line that the demo leaves on the terminal."""
    # The whole output has to fit: lines that scroll out of a screen are lost.
    screen = pyte.Screen(COLUMNS, 400)
    stream = pyte.ByteStream(screen)
    with tempfile.TemporaryDirectory() as home:
        environment = {"HOME": home, "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        child = pexpect.spawn(
            str(PROGRAM), ["demo"], dimensions=(LINES, COLUMNS), env=environment, timeout=120
        )
        child.expect(pexpect.EOF)
        stream.feed(child.before)
        child.close()
    if child.exitstatus != 0:
        sys.exit(f"amx-kimi demo ended with {child.exitstatus}:\n" + "\n".join(screen.display))
    lines = [in_style(screen.buffer[number]) for number in range(screen.lines)]
    while lines and not lines[-1].plain:
        lines.pop()
    return lines


def in_style(row: dict[int, Char]) -> Text:
    """One line of the terminal, with its colors."""
    text = Text(no_wrap=True)
    for style, cells in groupby((row[column] for column in range(COLUMNS)), style_of):
        text.append("".join(cell.data for cell in cells), style)
    text.rstrip()
    return text


def style_of(cell: Char) -> Style:
    color = {"default": None, "brown": "yellow"}.get(cell.fg, cell.fg)
    if color is not None and re.fullmatch("[0-9a-f]{6}", color):
        color = f"#{color}"
    return Style(color=color, bold=cell.bold, italic=cell.italics)


def shortened(lines: list[Text]) -> list[Text]:
    """The command, then the beginning and the end of its output: one screen of lines."""
    command = Text.assemble(("$ ", "bold green"), ("amx-kimi demo", "bold"))
    end = next(i for i, line in enumerate(lines) if line.plain.startswith("… and "))
    room = LINES - 1 - len(lines[end:]) - 1
    return [command, *lines[:room], Text("⋮", "cyan"), *lines[end:]]


def picture(lines: list[Text]) -> str:
    """The lines as an SVG that loads nothing from anywhere."""
    console = Console(
        record=True, width=COLUMNS, file=StringIO(), force_terminal=True, color_system="truecolor"
    )
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)
    svg = console.export_svg(title="amx-kimi", theme=THEME, unique_id="demo")
    svg = re.sub(r"\s*@font-face \{[^}]*\}", "", svg)
    svg = re.sub(r"@import[^;]*;", "", svg)
    svg = svg.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace")
    svg = re.sub(r"\s*<!-- .*? -->", "", svg)
    return re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE).rstrip() + "\n"


if __name__ == "__main__":
    PICTURE.write_text(picture(shortened(recorded())), "utf-8")
