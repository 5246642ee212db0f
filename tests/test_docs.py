"""The documentation's site, without building it: `make docs` does that."""

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]


def test_every_page_is_in_the_navigation() -> None:
    def pages(part: object) -> set[str]:
        if isinstance(part, str):
            return {part}
        below = part.values() if isinstance(part, dict) else part
        return set().union(*map(pages, below))  # type: ignore[call-overload]

    text = (ROOT / "mkdocs.yml").read_text("utf-8")
    generated = {"index.md", "commands.md"}
    written = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert pages(yaml.safe_load(text)["nav"]) == written | generated
