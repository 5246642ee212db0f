"""The lowest versions that pyproject.toml admits, as constraints for pip."""

import re
import tomllib
from pathlib import Path

_REQUIREMENT = re.compile(r"([\w.-]+)(?:\[[\w,]+\])?>=([\w.]+)")


def main() -> None:
    """Print a line for each dependency of the package and of its extras for databases."""
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8")
    project = tomllib.loads(text)["project"]
    extras = project["optional-dependencies"]
    kinds = ("postgres", "mysql", "duckdb")
    drivers = [line for kind in kinds for line in extras[kind]]
    for line in (*project["dependencies"], *drivers):
        found = _REQUIREMENT.fullmatch(line)
        assert found, f"{line} has no lower bound"
        print(f"{found[1]}=={found[2]}")


if __name__ == "__main__":
    main()
