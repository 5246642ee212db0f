"""Mutants of the modules that decide about money, limits and what may leave: `make mutants`.

Cosmic Ray changes one operator, number, truth or loop of a module at a time. A fork takes the
changed source from memory, so that no file is touched, and runs the tests that belong to the
module. A mutant that no test notices survives; docs/reliability.md has those that may.
"""

import argparse
import atexit
import importlib
import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Iterator
from contextlib import suppress
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_loader
from pathlib import Path
from types import CodeType
from typing import Any

from tests import warm

_ROOT = Path(__file__).parent.parent
_REDACT = (
    *("tests/annotate/test_redact.py", "tests/annotate/test_redact_words.py"),
    *("-k", "not hostile and not makes"),  # what is slow and tells little of a mutant
)
TESTS: dict[str, tuple[str, ...]] = {
    "policy": ("tests/test_policy.py",),
    "client/limiter": ("tests/client/test_limiter.py",),
    "client/budget": ("tests/client/test_budget.py",),
    "annotate/parse": ("tests/annotate/test_parse.py",),
    "publish/apply": ("tests/publish/test_apply.py", "tests/databases/test_new_kind.py"),
    **dict.fromkeys(("redact/columns", "redact/people", "redact/redactor"), _REDACT),
    **dict.fromkeys(("redact/detectors", "redact/shapes", "redact/texts"), _REDACT),
}
"""Which tests belong to which module below amx_kimi/."""

# Not: operators of types (|), identity with what is equal, what ends in an error in any case.
_WANTED = re.compile(
    r"core/(Replace(BinaryOperator_(Add|Sub|Mul|Div|FloorDiv|Mod)_(Add|Sub|Mul|FloorDiv)"
    r"|ComparisonOperator_(Eq_NotEq|NotEq_Eq|Is_IsNot|IsNot_Is|(Lt|LtE|Gt|GtE)_(Lt|LtE|Gt|GtE))"
    r"|(True|False|And|Or|Break|Continue)With\w+|UnaryOperator_(USub_UAdd|Delete_Not))"
    r"|AddNot|NumberReplacer|ZeroIterationForLoop)"
)
_OF_NO_RESULT = re.compile(r"@(dataclass|lru_cache)\(")
_INVALID = 77  # how a fork ends whose module cannot be imported


def main() -> None:
    """Mutate modules, print who survived, and how many of how many were killed."""
    parser = argparse.ArgumentParser(description="Mutants that the tests kill, or not.")
    parser.add_argument("modules", nargs="*", help=f"of {', '.join(TESTS)}; all without any")
    parser.add_argument("--most", type=int, default=60, help="mutants a module, at random (60)")
    parser.add_argument("--seed", type=int, default=0, help="of the choice (0)")
    options = parser.parse_args()
    if unknown := set(options.modules) - set(TESTS):
        parser.error(f"no tests are known for {', '.join(sorted(unknown))}")
    os.chdir(_ROOT)
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = tempfile.mkdtemp(prefix="mutants-")
    _import_what_others_wrote()
    for module in options.modules or TESTS:
        _mutate(module, options.most, options.seed)


def _mutate(module: str, most: int, seed: int) -> None:
    path = _ROOT / "amx_kimi" / f"{module}.py"
    source = path.read_text("utf-8")
    begun = time.monotonic()
    if _run(module, source, 600.0) != 0:
        sys.exit(f"{module}: its tests fail without any change")
    patience = 10 + 10 * (time.monotonic() - begun)
    mutants = sorted(set(_mutants(source)) - {source})
    chosen = random.Random(seed).sample(mutants, min(most, len(mutants)))
    killed, survived = 0, 0
    for mutant in chosen:
        code = _run(module, mutant, patience)
        killed += code not in (0, _INVALID)
        if code == 0:
            survived += 1
            print(f"  {module}:{_changed_line(source, mutant)}", flush=True)
    share = f"{killed / ((killed + survived) or 1):.0%}"
    print(
        f"{module}: {killed} killed, {survived} survived ({share}); {len(mutants)} in all,"
        f" {len(chosen) - killed - survived} invalid",
        flush=True,
    )


def _mutants(source: str) -> Iterator[str]:
    """Every changed source."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator, operator_names

    nodes = list(ast_nodes(get_ast(source)))
    for name in filter(_WANTED.fullmatch, operator_names()):
        operator = get_operator(name)()
        places = sum(len(list(operator.mutation_positions(node))) for node in nodes)
        for place in range(places):
            mutant = mutate_code(source, operator, place) or source
            yield source if _OF_NO_RESULT.search(_changed_line(source, mutant)) else mutant


def _changed_line(source: str, mutant: str) -> str:
    pairs = zip(source.splitlines(), mutant.splitlines(), strict=False)
    changed = ((n, new) for n, (old, new) in enumerate(pairs, 1) if old != new)
    number, line = next(changed, (0, ""))
    return f"{number}: {line.strip()}"


def _run(module: str, source: str, seconds: float) -> int:
    """How the tests of a module end with this source, in a fork: 0 if they pass."""
    child = os.fork()
    if child == 0:
        os.setsid()
        os._exit(_tested(module, source))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.02)
    with suppress(ProcessLookupError):  # with whatever its tests have started
        os.killpg(child, signal.SIGKILL)
    if not done:
        os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) if done else -signal.SIGKILL


def _tested(module: str, source: str) -> int:
    import pytest
    from hypothesis import Phase, settings

    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    name = "amx_kimi." + module.replace("/", ".")
    sys.meta_path.insert(0, _Mutated(name, source))
    try:
        importlib.import_module(name)
    except BaseException:
        return _INVALID
    if "tests/cli/" in TESTS[module][0]:
        _fork_commands()
    quick = (Phase.explicit, Phase.generate)
    settings.register_profile("m", phases=quick, derandomize=True, max_examples=40)
    settings.load_profile("m")
    options = ("-x", "-q", "--assert=plain", "-p", "no:xdist", "-p", "no:cacheprovider")
    return int(pytest.main([*options, *TESTS[module]]))


class _Mutated(SourceFileLoader):
    """Finds and loads one module with another source."""

    def __init__(self, name: str, source: str) -> None:
        super().__init__(name, str(_ROOT / f"{name.replace('.', '/')}.py"))
        self._source = source

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        return spec_from_loader(name, self) if name == self.name else None

    def get_code(self, _: str) -> CodeType:
        return compile(self._source, self.path, "exec")


def _import_what_others_wrote() -> None:
    """So that a fork has to import ours only."""
    code = "import sys, pytest, trustme, hypothesis.strategies, tests.warmed; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for name in told.stdout.split():
        if name.split(".")[0] not in ("amx_kimi", "tests", "__main__"):
            with suppress(ImportError):
                importlib.import_module(name)


def _fork_commands() -> None:
    """Commands that tests start are forks of this process: they have the mutant."""
    import tests.warmed  # noqa: F401

    warm._CONTEXT = multiprocessing.get_context("fork")  # type: ignore[assignment]
    warm._server = lambda _: None  # type: ignore[assignment]
    warm._start = lambda process, _: process.start()
    begin = warm._fork

    def alone(*job: Any) -> None:
        atexit._clear()  # what this process is to do at its end is not theirs
        weakref.finalize._registry.clear()  # type: ignore[attr-defined]
        begin(*job)

    warm._fork = alone


if __name__ == "__main__":
    main()
