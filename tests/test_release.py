"""`.ci/release`, in a git repository of the test's own."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "release"
CHANGELOG = """# Changelog

## [Unreleased]

### Added

- Something new.

## [0.1.0] - 2026-01-31

- The first.
"""


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clean repository at version 0.2.0rc1."""
    folder = tmp_path / "project"
    folder.mkdir()
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Nobody")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "nobody@example.com")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\n\n[project]\nname = "x"\nversion = "0.2.0rc1"\n'
    )
    (folder / "CHANGELOG.md").write_text(CHANGELOG)
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Work")


def release(folder: Path, *versions: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(SCRIPT), *versions]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("version", ["0.2.0", "0.2.0rc2", "0.10.0", "1.0.0a1"])
def test_a_release_is_a_commit_and_a_tag(project: Path, version: str) -> None:
    done = release(project, version)
    assert (done.returncode, done.stderr) == (0, "")
    assert git(project, "status", "--porcelain") == ""
    assert git(project, "log", "-1", "--format=%s") == f"Release {version}"
    assert git(project, "describe", "--exact-match") == f"v{version}"
    assert tomllib.loads((project / "pyproject.toml").read_text())["project"]["version"] == version
    dated = re.sub(
        r" - \d{4}-\d\d-\d\d\n\n###", " - TODAY\n\n###", (project / "CHANGELOG.md").read_text()
    )
    assert dated == CHANGELOG.replace(
        "## [Unreleased]\n", f"## [Unreleased]\n\n## [{version}] - TODAY\n"
    )


def test_a_release_works_from_a_folder_below(project: Path) -> None:
    (project / "below").mkdir()
    assert release(project / "below", "0.2.0").returncode == 0


@pytest.mark.parametrize(
    "version", ["", "1", "1.2", "v1.2.3", "1.2.3.4", "01.2.3", "1.2.3-rc1", "1.2.3\n", "one"]
)
def test_a_bad_version_is_refused(project: Path, version: str) -> None:
    refused(project, version, "version")


@pytest.mark.parametrize("version", ["0.1.9", "0.2.0rc1", "0.2.0b9", "0.2.0rc0"])
def test_a_version_that_is_not_higher_is_refused(project: Path, version: str) -> None:
    refused(project, version, f"{version} is not higher than 0.2.0rc1")


@pytest.mark.parametrize("section", ["\n", "\n### Added\n\n### Fixed\n\n", ""])
def test_an_empty_section_is_refused(project: Path, section: str) -> None:
    changelog = (
        f"# Changelog\n\n## [Unreleased]\n{section}## [0.1.0] - 2026-01-31\n\n- The first.\n"
    )
    (project / "CHANGELOG.md").write_text(changelog)
    commit(project)
    refused(project, "0.2.0", "nothing to release")


def test_a_changelog_without_the_section_is_refused(project: Path) -> None:
    (project / "CHANGELOG.md").write_text("# Changelog\n\n## [0.1.0] - 2026-01-31\n")
    commit(project)
    refused(project, "0.2.0", "no section [Unreleased]")


def test_uncommitted_work_is_refused(project: Path) -> None:
    (project / "new.txt").write_text("not committed")
    refused(project, "0.2.0", "not clean")


def test_a_tag_that_exists_is_refused(project: Path) -> None:
    git(project, "tag", "v0.2.0")
    refused(project, "0.2.0", "exists already")


def refused(project: Path, version: str, why: str) -> None:
    """The release ends with an error; nothing is changed, committed or tagged."""

    def state() -> tuple[str, ...]:
        files = (project / "pyproject.toml", project / "CHANGELOG.md")
        return (git(project, "rev-parse", "HEAD"), git(project, "tag"), *map(Path.read_text, files))

    before = state()
    done = release(project, version)
    assert done.returncode == 1
    assert why in done.stderr
    assert state() == before
