"""What mkdocs builds beside the files of docs/: the start page and the pages of commands."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from amx_kimi.cli import cli

_ROOT = Path(__file__).parents[1]
_LINK = re.compile(r"\]\((?!\w+:|#)([^)\s]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add README.md as the start page, and every command's help."""
    readme = (_ROOT / "README.md").read_text("utf-8")
    # On the web, README.md points to the repository; on the site, its pages are here.
    readme = readme.replace(f"]({_repository(config)}docs/", "](docs/")
    files.append(File.generated(config, "index.md", content=_from_root(readme, config)))
    files.append(File.generated(config, "commands.md", content=commands()))
    return files


def on_page_markdown(markdown: str, config: MkDocsConfig, **_: Any) -> str:
    """Point what lies outside of docs/ to the repository."""
    return markdown.replace("](../", f"]({_repository(config)}")


def _repository(config: MkDocsConfig) -> str:
    return f"{(config.repo_url or '').rstrip('/')}/blob/main/"


def _from_root(text: str, config: MkDocsConfig) -> str:
    """A text whose links start at the repository's root, as it reads within docs/."""

    def moved(found: re.Match[str]) -> str:
        path = found[1].removeprefix("./")
        inside = path.startswith("docs/")
        return f"]({path.removeprefix('docs/') if inside else _repository(config) + path})"

    return _LINK.sub(moved, text)


def commands() -> str:
    """A page with the help of every command that is not hidden, as a terminal shows it."""
    parts = ["# Commands\n\nThe same text as `amx-kimi COMMAND --help`.\n"]
    for name, level, text in _helps(cli, _context(cli, "amx-kimi"), 2):
        parts.append(f"{'#' * level} {name}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def _helps(
    command: click.Command, context: click.Context, level: int
) -> Iterator[tuple[str, int, str]]:
    context.terminal_width = 88
    yield context.command_path, level, command.get_help(context)
    if not isinstance(command, click.Group):
        return
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        if below and not below.hidden:
            yield from _helps(below, _context(below, name, context), 3)


def _context(
    command: click.Command, name: str, parent: click.Context | None = None
) -> click.Context:
    return click.Context(command, info_name=name, parent=parent, **command.context_settings)
