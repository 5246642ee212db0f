"""Kimi inside every process that a launched AMX starts: `amx-kimi amx` puts this folder first on
their PYTHONPATH. The environment's own sitecustomize, which this one hides, is run too."""

import sys
from contextlib import suppress
from pathlib import Path

if "amx_kimi_hook" not in sys.modules:  # else `amx-kimi enable` prepares them already
    with suppress(ImportError):  # another environment's Python, where amx-kimi is not installed
        import amx_kimi.bridge.hook  # noqa: F401

_ours = sys.modules.pop(__name__)
_path = list(sys.path)
sys.path[:] = [entry for entry in _path if entry != str(Path(__file__).parent)]
try:
    import sitecustomize  # type: ignore[import-not-found]  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != __name__:
        raise
finally:
    sys.modules.setdefault(__name__, _ours)
    sys.path[:] = _path
