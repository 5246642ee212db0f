"""What a user installs: the wheel's content, and the public names."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder)]
    subprocess.run([*command, str(ROOT)], check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def test_the_wheel_holds_what_the_package_needs(wheel: list[str]) -> None:
    presets = {f"amx_kimi/profiles/{path.name}" for path in (ROOT / "profiles").glob("*.yml")}
    assert len(presets) == 7
    data = {"amx_kimi/facts/models.yml", "amx_kimi/demo/erp.sql", "amx_kimi/sandbox/words.yml"}
    assert presets | data | {"amx_kimi/py.typed"} <= set(wheel)


def test_the_wheel_holds_nothing_else(wheel: list[str]) -> None:
    tops = {name.split("/")[0] for name in wheel}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"amx_kimi"}


def test_the_wheel_holds_code_and_its_data_only(wheel: list[str]) -> None:
    ends = {Path(name).suffix for name in wheel if ".dist-info/" not in name}
    assert ends == {".py", ".yml", ".txt", ".sql", ".j2", ".css", ".js", ".typed"}


def test_the_source_distribution_holds_the_project_and_nothing_else(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--sdist", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        files = [Path(*Path(one.name).parts[1:]) for one in archive if one.isfile()]
    tops = {file.parts[0] for file in files}
    folders = {"amx_kimi", "profiles", "tests", "benchmarks", "docs", ".ci"}
    texts = {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE"}
    texts |= {"CODE_OF_CONDUCT.md", "Containerfile", "Makefile", "mkdocs.yml"}
    assert tops == folders | texts | {"pyproject.toml", ".gitignore", "PKG-INFO"}
    assert {file.suffix for file in files} <= {
        *(
            ".py",
            ".yml",
            ".yaml",
            ".sql",
            ".j2",
            ".css",
            ".csv",
            ".js",
            ".typed",
            ".md",
            ".cmake",
            ".json",
            ".txt",
        ),
        *(".toml", ".png", ".svg", ""),
    }
    listed = ["ls-files", "--cached", "--others", "--exclude-standard"]
    known = subprocess.run(
        ["git", "-C", str(ROOT), *listed], capture_output=True, text=True, check=False
    )
    if known.returncode == 0:  # in a checkout: nothing that git ignores
        assert {str(file) for file in files} <= {*known.stdout.splitlines(), "PKG-INFO"}


def test_public_names_load_on_first_use() -> None:
    probe = (
        "import sys, amx_kimi\n"
        "assert not {'httpx', 'sqlalchemy', 'yaml'} & set(sys.modules)\n"
        "for name in set(amx_kimi.__all__) - {'__version__'}:\n"
        "    assert getattr(amx_kimi, name).__name__ == name\n"
        "assert amx_kimi.__version__\n"
        "try: amx_kimi.nothing\n"
        "except AttributeError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True)
    assert "no attribute 'nothing'" in done.stdout
