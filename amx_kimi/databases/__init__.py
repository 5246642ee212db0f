"""The databases that can be described: one module or package for each kind, and what they share.

`registry` has a row for each kind. `opening` goes from a URL, a path or an AMX profile to an open
database, `base` says what one offers: a `Source` to read, `Comments` to write. `selection` checks
which tables are meant, `dialect` spells statements, `drivers` finds what is installed, `samples`
counts values. `postgresql/`, `duckdb/` (files of data, too), `sqlite` and `sql_only` are the kinds.
How to add one: docs/contributing-databases.md.
"""
