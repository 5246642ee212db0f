"""Attaches to AMX: all points or none, each when AMX imports its module."""

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from amx_kimi.bridge.compare import amx_folder, amx_version, misfits
from amx_kimi.bridge.points import POINTS, Point

__all__ = ["attach", "is_attached"]

_MARK = "__amx_kimi__"


def attach(path: Sequence[str] | None = None) -> list[str]:
    """Prepare this process: kimi profiles use amx-kimi as soon as AMX is imported.

    Returns what does not fit. If anything does not, nothing is attached, and AMX runs unchanged.
    Modules of AMX that are already imported are attached at once.
    """
    folder = amx_folder(list(path) if path is not None else None)
    if folder is None:
        return ["amx-cli is not installed here: pip install amx-cli"]
    if is_attached():
        return []
    if problems := misfits(folder):
        return [f"AMX {amx_version()} is not supported by this amx-kimi", *problems]
    modules = {point.module for point in POINTS if point.hand}
    for name in modules & set(sys.modules):
        _put_hands_on(sys.modules[name])
    sys.meta_path.insert(0, _Finder(modules))
    return []


def is_attached() -> bool:
    """Whether this process is prepared."""
    return any(isinstance(finder, _Finder) for finder in sys.meta_path)


class _Finder(MetaPathFinder):
    """Finds the modules of AMX as Python would, and attaches to them after they have run."""

    def __init__(self, modules: set[str]) -> None:
        self._modules = modules

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname not in self._modules:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Attaching(spec.loader)
        return spec


class _Attaching(Loader):
    """Runs AMX's own loader, and then attaches."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        _put_hands_on(module)

    def __getattr__(self, name: str) -> Any:  # get_source, get_data and the like
        return getattr(self._loader, name)


def _put_hands_on(module: ModuleType) -> None:
    for point in POINTS:
        if point.module == module.__name__ and point.hand:
            holder, name = _holder(module, point)
            original = getattr(holder, name)
            if not hasattr(original, _MARK):
                setattr(holder, name, _replacement(point, original))


def _holder(module: ModuleType, point: Point) -> tuple[Any, str]:
    *classes, name = point.name.split(".")
    holder: Any = module
    for part in classes:
        holder = getattr(holder, part)
    return holder, name


def _replacement(point: Point, original: Callable[..., Any]) -> Callable[..., Any]:
    """The replacement; our code is imported at its first call, not at AMX's start."""

    @wraps(original)
    def replacement(*args: Any, **kwargs: Any) -> Any:
        file, _, name = point.hand.partition(":")
        hand = getattr(import_module(f"amx_kimi.bridge.{file}"), name)
        return hand(original, *args, **kwargs)

    setattr(replacement, _MARK, True)
    return replacement
