"""The queries that `redshift` sends. None of them scans a table.

Redshift is a relative of PostgreSQL 8: its `pg_*` tables live on the leader node only, so they are
not joined with `svv_*` views, and functions such as `unnest` are missing. Sources: Amazon's
Database Developer Guide, "System catalog tables", SVV_TABLE_INFO, SVV_REDSHIFT_COLUMNS,
SVV_EXTERNAL_TABLES, SVV_EXTERNAL_COLUMNS, PG_GET_LATE_BINDING_VIEW_COLS (November 2026). No percent
sign may be here: the dialect would double it.
"""

__all__ = [
    "COLUMNS",
    "CONSTRAINTS",
    "DEFINITIONS",
    "EXTERNAL_COLUMNS",
    "EXTERNAL_TABLES",
    "LATE_COLUMNS",
    "PRESENT",
    "RELATIONS",
    "SCHEMAS",
    "SIZES",
    "SORTING",
    "STATISTICS",
    "TYPES",
]

_OF_RELATIONS = """
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
"""
_KINDS = "c.relkind IN ('r', 'p', 'v', 'm', 'f')"
_OURS = "c.relname !~ '^mv_tbl__.*__[0-9]+$'"  # where a materialized view keeps its rows
_KIND = """
CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
               WHEN 'f' THEN 'foreign table' ELSE 'table' END
"""

SCHEMAS = """
SELECT nspname AS name FROM pg_catalog.pg_namespace
WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'catalog_history')
ORDER BY nspname
"""

RELATIONS = f"""
SELECT n.nspname AS "schema", c.relname AS name, {_KIND} AS kind, c.reltuples AS "rows",
       pg_catalog.obj_description(c.oid, 'pg_class') AS comment
{_OF_RELATIONS} WHERE {_KINDS} AND {_OURS} AND n.nspname IN :schemas
ORDER BY n.nspname, c.relname
"""

DEFINITIONS = f"""
SELECT n.nspname AS "schema", c.relname AS name,
       substring(pg_catalog.pg_get_viewdef(c.oid, true), 1, 4000) AS definition
{_OF_RELATIONS} WHERE c.relkind IN ('v', 'm') AND n.nspname IN :schemas
"""

COLUMNS = f"""
SELECT n.nspname AS "schema", c.relname AS "table", a.attname AS name, a.attnum AS position,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS type, NOT a.attnotnull AS nullable,
       pg_catalog.col_description(c.oid, a.attnum) AS comment
{_OF_RELATIONS} JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
WHERE {_KINDS} AND {_OURS} AND a.attnum > 0 AND NOT a.attisdropped AND n.nspname IN :schemas
ORDER BY n.nspname, c.relname, a.attnum
"""

LATE_COLUMNS = """
SELECT view_schema AS "schema", view_name AS "table", col_name AS name, col_num AS position,
       col_type AS type, true AS nullable, NULL AS comment
FROM pg_get_late_binding_view_cols()
     late(view_schema name, view_name name, col_name name, col_type varchar, col_num int)
WHERE view_schema IN :schemas ORDER BY view_schema, view_name, col_num
"""

EXTERNAL_TABLES = """
SELECT schemaname AS "schema", tablename AS name, 'foreign table' AS kind, NULL AS "rows",
       NULL AS comment
FROM svv_external_tables WHERE schemaname IN :schemas ORDER BY schemaname, tablename
"""

EXTERNAL_COLUMNS = """
SELECT schemaname AS "schema", tablename AS "table", columnname AS name, columnnum AS position,
       external_type AS type, true AS nullable, NULL AS comment
FROM svv_external_columns WHERE schemaname IN :schemas ORDER BY schemaname, tablename, columnnum
"""

SIZES = """
SELECT "schema", "table" AS name, tbl_rows AS "rows" FROM svv_table_info WHERE "schema" IN :schemas
"""

SORTING = """
SELECT schema_name AS "schema", table_name AS "table", column_name AS name, distkey, sortkey
FROM svv_redshift_columns
WHERE database_name = current_database() AND (distkey OR sortkey <> 0) AND schema_name IN :schemas
"""

CONSTRAINTS = """
SELECT n.nspname AS "schema", c.relname AS "table", k.conname AS name, k.contype AS kind,
       array_to_string(k.conkey, ' ') AS members, array_to_string(k.confkey, ' ') AS others,
       fn.nspname AS other_schema, fc.relname AS other_table,
       a.attnum AS number, a.attname AS "column",
       a.attrelid = k.conrelid AS is_own, a.attrelid = k.confrelid AS is_other
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_class fc ON fc.oid = k.confrelid
LEFT JOIN pg_catalog.pg_namespace fn ON fn.oid = fc.relnamespace
JOIN pg_catalog.pg_attribute a
  ON (a.attrelid = k.conrelid AND a.attnum = ANY(k.conkey))
  OR (a.attrelid = k.confrelid AND a.attnum = ANY(k.confkey))
WHERE k.contype IN ('p', 'u', 'f') AND n.nspname IN :schemas
ORDER BY n.nspname, c.relname, k.conname, a.attnum
"""

# An array cannot be cast to text there. chr(30) stands in no value that is worth a description.
STATISTICS = """
SELECT attname AS name, null_frac, n_distinct,
       array_to_string(most_common_vals, chr(30)) AS common,
       array_to_string(most_common_freqs, chr(30)) AS shares,
       array_to_string(histogram_bounds, chr(30)) AS bounds
FROM pg_catalog.pg_stats WHERE schemaname = :schema AND tablename = :table
"""

TYPES = f"""
SELECT a.attname AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type
{_OF_RELATIONS} JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
WHERE a.attnum > 0 AND n.nspname = :schema AND c.relname = :table
"""

PRESENT = f"""
SELECT n.nspname AS table_schema, c.relname AS table_name, {_KIND} AS table_kind,
       CAST('' AS varchar) AS column_name,
       CAST(pg_catalog.obj_description(c.oid, 'pg_class') AS varchar) AS comment
{_OF_RELATIONS} WHERE {_KINDS} AND n.nspname IN :schemas AND c.relname IN :tables
UNION ALL
SELECT n.nspname, c.relname, '', CAST(a.attname AS varchar),
       CAST(pg_catalog.col_description(c.oid, a.attnum) AS varchar)
{_OF_RELATIONS} JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
WHERE {_KINDS} AND a.attnum > 0 AND NOT a.attisdropped
  AND n.nspname IN :schemas AND c.relname IN :tables
"""
