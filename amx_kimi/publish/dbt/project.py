"""Reads what the other property files of a dbt project describe."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amx_kimi.errors import ConfigFileError
from amx_kimi.files import open_regular
from amx_kimi.plain_yaml import YAMLTextError, load_yaml
from amx_kimi.publish.dbt.entries import MOST_BYTES, DbtTable, read_property_file

__all__ = ["Project", "project_around", "read_project"]

_PROJECT = "dbt_project.yml"
_PATHS = {
    "model-paths": "models",
    "source-paths": "models",  # its name before dbt 1.0
    "seed-paths": "seeds",
    "data-paths": "data",  # likewise
    "snapshot-paths": "snapshots",
    "analysis-paths": "analyses",
    "macro-paths": "macros",
    "test-paths": "tests",
}
_NOT_OURS = {"target", "dbt_packages", "dbt_modules"}


@dataclass
class Project:
    """The entries of a project's property files, and `warnings` about those that are unreadable."""

    folder: Path
    entries: list[DbtTable] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def shown(self, path: Path) -> str:
        """A file's name for people."""
        inside = path.is_relative_to(self.folder)
        return str(path.relative_to(self.folder) if inside else path)


def project_around(path: Path) -> Path | None:
    """The folder of the dbt project that a file is in."""
    return next((one for one in path.resolve().parents if (one / _PROJECT).is_file()), None)


def read_project(folder: Path, without: Path | None = None) -> Project:
    """The property files of a project, without the one to be written.

    Raises:
        ConfigFileError: there is no dbt project.
    """
    project = Project(folder.resolve())
    own = without.resolve() if without else None
    for path in sorted(set(_property_files(project.folder))):
        if path.resolve() == own:
            continue
        try:
            project.entries += read_property_file(path).entries
        except ConfigFileError as error:
            project.warnings.append(f"{error.message}; its descriptions are unknown")
    return project


def _property_files(folder: Path) -> Iterator[Path]:
    for name in _folders(folder):
        for path in (folder / name).rglob("*"):
            inside = path.relative_to(folder).parts
            is_yaml = path.suffix in (".yml", ".yaml")
            if is_yaml and path.is_file() and not _NOT_OURS & {*inside}:
                yield path


def _folders(folder: Path) -> set[str]:
    path = folder / _PROJECT
    try:
        with open_regular(path, MOST_BYTES) as file:
            document: Any = load_yaml(file.read().decode("utf-8"))
    except (OSError, UnicodeDecodeError):
        raise ConfigFileError(f"{folder} is not a dbt project: {_PROJECT} cannot be read") from None
    except YAMLTextError as error:
        raise ConfigFileError(f"{path} is not valid YAML: {error}") from None
    found: set[str] = set()
    for key, usual in _PATHS.items():
        written = document.get(key) if isinstance(document, dict) else None
        found |= {str(one) for one in written} if isinstance(written, list) else {usual}
    return found
