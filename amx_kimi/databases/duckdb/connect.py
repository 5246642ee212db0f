"""What is needed to open DuckDB, for its own files and for data files."""

__all__ = ["CONFIG", "reason_of"]

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 2,
    "memory_limit": "1GB",
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
"""Settings that limit resources, and keep DuckDB from downloading extensions."""


def reason_of(error: Exception) -> str:
    """DuckDB's message, without the query and the row of data that it repeats."""
    lines = [line for line in str(error).splitlines() if not line.startswith("Original Line")]
    message = " ".join(lines[:2])
    return " ".join(message.partition(" LINE ")[0].split())
