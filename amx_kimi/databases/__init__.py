"""The databases that can be described: one module or package for each kind, and what they share.

- `registry`: one row for each kind
- `opening`: opens a database, from a URL, a path or an AMX profile
- `base`: what a database offers: a `Source` to read, `Comments` to write
- `selection`: checks which tables are meant
- `dialect`: builds statements; `drivers`: finds installed drivers; `samples`: counts values
- `postgresql/`, `duckdb/` (data files, too), `sqlite`, `sql_only`: the kinds

How to add a kind: docs/contributing-databases.md.
"""
