"""The examples of docs/python.md run as they stand, and `dir()` shows what it documents."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

import amx_kimi
from amx_kimi.demo.erp import build_sqlite
from tests.conftest import KEY

PAGE = (Path(__file__).parent.parent / "docs" / "python.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_the_examples_run(
    start_sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    build_sqlite(tmp_path / "erp.db")
    monkeypatch.setenv("AMX_LLM_API_KEY", KEY)
    sandbox = start_sandbox()
    names = {"KEY": KEY, "URL": sandbox.url, "DATABASE": str(tmp_path / "erp.db")}
    said = []
    for number, example in enumerate(EXAMPLES):
        if "AuthenticationError" in example:
            sandbox.set(faults="unauthorized:1")
        exec(compile(example, f"example {number}", "exec"), {**names, "__name__": "__main__"})
        said.append(capsys.readouterr().out)
    chat, twins, described, watched, read, refused = said
    assert len(chat.splitlines()) == 2
    assert len(twins.splitlines()) == 2
    assert "complete" in described
    assert "kdstm.kdnr" in described
    assert re.search(r"^\d+ of \d+ columns, \d+ requests$", watched, re.MULTILINE)
    assert "to review" in read
    assert refused.startswith("The key is wrong:")


def test_dir_is_the_api() -> None:
    assert dir(amx_kimi) == sorted(amx_kimi.__all__)
    for name in amx_kimi.__all__:
        assert getattr(amx_kimi, name), name
    undocumented = [name for name in amx_kimi.__all__ if not re.search(rf"\b{name}\b", PAGE)]
    assert undocumented == []


def test_the_table_of_errors_is_the_tree() -> None:
    rows = re.findall(r"^\| ((?:– )*)`(\w+Error)` \|", PAGE, re.MULTILINE)
    path: list[str] = []
    for depth, name in ((len(marks) // 2, name) for marks, name in rows):
        path[depth:] = [name]
        above = Exception if depth == 0 else getattr(amx_kimi, path[depth - 1])
        assert getattr(amx_kimi, name).__bases__ == (above,), name
    assert {name for _, name in rows} == {n for n in amx_kimi.__all__ if n.endswith("Error")}


def test_in_a_notebook_a_loop_runs_already(start_sandbox, tmp_path: Path) -> None:
    build_sqlite(tmp_path / "erp.db")
    url = start_sandbox().url
    seen = []

    async def cell() -> amx_kimi.Run:
        return amx_kimi.describe(
            str(tmp_path / "erp.db"),
            model="kimi-k2.6",
            base_url=url,
            tables=["aufk"],
            max_cost=1,
            on_progress=lambda progress: seen.append(progress.done),
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AMX_LLM_API_KEY", KEY)
        run = asyncio.run(cell())
    assert run.status == "complete"
    assert seen[-1] > 0


@pytest.mark.parametrize("cap", [0, -1, "nan", "much"])
def test_a_cap_is_a_positive_amount(cap: object, tmp_path: Path, start_sandbox) -> None:
    build_sqlite(tmp_path / "erp.db")
    options = {"model": "kimi-k2.6", "base_url": start_sandbox().url, "max_cost": cap}
    with pytest.raises(amx_kimi.ConfigError, match="must be a positive amount"):
        amx_kimi.describe(str(tmp_path / "erp.db"), **options)  # type: ignore[arg-type]
