"""Checks whether the installed AMX is supported, by reading its source without importing it."""

import ast
from importlib.machinery import PathFinder
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from amx_kimi.bridge.points import POINTS, Point

__all__ = ["amx_folder", "amx_version", "misfits"]


def amx_folder(path: list[str] | None = None) -> Path | None:
    """The folder of the package `amx`, on `path` or where this process would import it."""
    spec = PathFinder.find_spec("amx", path)
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places))) if places else None


def amx_version() -> str:
    """The installed AMX's version, or "" if there is none."""
    try:
        return version("amx-cli")
    except PackageNotFoundError:
        return ""


def misfits(folder: Path, points: tuple[Point, ...] = POINTS) -> list[str]:
    """The `points` that the AMX in `folder` does not have, in words; empty if all fit."""
    trees: dict[str, ast.Module | str] = {}
    found = []
    for point in points:
        if point.module not in trees:
            trees[point.module] = _tree(folder, point.module)
        tree = trees[point.module]
        problem = tree if isinstance(tree, str) else _problem(tree, point)
        if problem:
            found.append(f"{point.module}: {point.name}: {problem}")
    return found


def _tree(folder: Path, module: str) -> ast.Module | str:
    base = folder.joinpath(*module.split(".")[1:])
    for file in (base.with_suffix(".py"), base / "__init__.py"):
        try:
            return ast.parse(file.read_text("utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, SyntaxError, ValueError) as error:
            return f"cannot be read: {error}"
    return "there is no such module"


def _problem(tree: ast.Module, point: Point) -> str:
    node: ast.AST | None = tree
    for name in point.name.split("."):
        node = _member(node, name)
        if node is None:
            return "is not there"
    if point.arguments:
        if not isinstance(node, ast.FunctionDef):
            return "is not a function"
        taken = _arguments(node)
        if missing := [name for name in point.arguments if name not in taken]:
            return f"takes no {', '.join(missing)}"
    members = {name for name in point.members if _member(node, name) is None}
    return f"has no {', '.join(sorted(members))}" if members else ""


def _member(node: ast.AST | None, name: str) -> ast.AST | None:
    """What `name` is in the body of a module or class: defined, assigned or imported there."""
    for entry in getattr(node, "body", []):
        if isinstance(entry, ast.FunctionDef | ast.ClassDef) and entry.name == name:
            return entry
        if isinstance(entry, ast.AnnAssign) and getattr(entry.target, "id", "") == name:
            return entry
        if isinstance(entry, ast.ImportFrom) and name in {a.asname or a.name for a in entry.names}:
            return entry
    return None


def _arguments(function: ast.FunctionDef) -> list[str]:
    given = function.args
    return [argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
