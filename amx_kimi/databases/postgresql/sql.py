"""The queries that `postgresql` sends to the catalogs. None of them scans a table."""

__all__ = [
    "CONSTRAINTS",
    "DEFINITIONS",
    "DEPENDENCIES",
    "EMPTY",
    "ENUMS",
    "EXTENDED",
    "EXTENSIONS",
    "FIELDS",
    "INVENTORY",
    "LARGEST",
    "PARENTS",
    "PARTITIONS",
    "RELATION",
    "SCHEMAS",
    "SESSION",
    "STATISTICS",
    "TABLES",
    "TYPE_COMMENTS",
]

# Local to each transaction, because a pooler may give the connection to somebody else. With this
# search_path, names mean the server's own functions, and types and tables include their schema.
SESSION = """
SELECT pg_catalog.set_config('search_path', 'pg_catalog', true),
       pg_catalog.set_config('statement_timeout', :statement, true),
       pg_catalog.set_config('lock_timeout', :lock, true),
       pg_catalog.set_config('idle_in_transaction_session_timeout', '60s', true)
"""

_OURS = "n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
_RELATIONS = f"c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND {_OURS}"
_WANTED = f"{_OURS} AND (:all_schemas OR n.nspname = ANY(:schemas))"

# What an extension created, or what is in a schema that it created (such as its own partitions).
_EXTENSION = """
SELECT x.extname FROM pg_depend d JOIN pg_extension x ON x.oid = d.refobjid
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
  AND ((d.classid = 'pg_class'::regclass AND d.objid = c.oid)
       OR (d.classid = 'pg_namespace'::regclass AND d.objid = c.relnamespace))
"""

SCHEMAS = f"SELECT n.nspname FROM pg_namespace n WHERE {_OURS} ORDER BY 1"

TABLES = f"""
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_RELATIONS} ORDER BY 1, 2
"""

EXTENSIONS = f"""
SELECT n.nspname, c.relname, ({_EXTENSION} LIMIT 1) AS extension
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_RELATIONS} AND EXISTS ({_EXTENSION})
"""

# Before PostgreSQL 14 a table that was never analyzed had 0 rows.
_ROWS = """
CASE WHEN c.reltuples = 0 AND c.relpages = 0
          AND current_setting('server_version_num')::int < 140000
     THEN -1 ELSE c.reltuples::bigint END
"""

INVENTORY = f"""
SELECT n.nspname, c.oid, c.relname, c.relkind, {_ROWS} AS rows,
       coalesce(obj_description(c.oid, 'pg_class'), '') AS comment,
       a.attnum, a.attname, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull,
       coalesce(col_description(c.oid, a.attnum), '') AS column_comment,
       a.attidentity <> '' AS identity,
       CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END AS base,
       a.atttypid, coalesce(nullif(t.typelem, 0), nullif(t.typbasetype, 0), t.oid) AS inner_type
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_type t ON t.oid = a.atttypid
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND {_WANTED}
  AND (:extensions OR NOT EXISTS ({_EXTENSION}))
ORDER BY n.nspname, c.relname, a.attnum
"""

# Separate from the inventory, because these wait for locks on their tables.
DEFINITIONS = f"""
SELECT c.oid, 0, left(pg_get_viewdef(c.oid), 4000)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE :definitions AND c.relkind IN ('v', 'm') AND {_WANTED}
UNION ALL
SELECT c.oid, a.attnum, left(pg_get_expr(d.adbin, d.adrelid), 500)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attgenerated <> ''
JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE :definitions AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND {_WANTED}
"""

CONSTRAINTS = f"""
SELECT k.conrelid, k.contypid, k.contype, k.conkey,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS p(num, place)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = p.num
             ORDER BY p.place) AS names,
       fn.nspname || '.' || fc.relname AS target,
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS p(num, place)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = p.num
             ORDER BY p.place) AS target_names,
       CASE WHEN :definitions AND k.contype = 'c' AND (k.contypid <> 0 OR cardinality(k.conkey) = 1)
            THEN left(pg_get_constraintdef(k.oid), 1000) END AS expression
FROM pg_constraint k
LEFT JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = k.connamespace
LEFT JOIN pg_class fc ON fc.oid = k.confrelid
LEFT JOIN pg_namespace fn ON fn.oid = fc.relnamespace
WHERE k.contype IN ('p', 'f', 'u', 'c') AND c.relispartition IS NOT TRUE
  AND (k.contypid <> 0 OR ({_WANTED}))
ORDER BY k.conrelid, k.conname
"""

ENUMS = """
SELECT enumtypid, (array_agg(enumlabel::text ORDER BY enumsortorder))[1:50] FROM pg_enum GROUP BY 1
"""

# Only of domains, enums and composite types that people created.
TYPE_COMMENTS = f"""
SELECT t.oid, d.description
FROM pg_description d
JOIN pg_type t ON t.oid = d.objoid AND d.classoid = 'pg_type'::regclass
JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE {_OURS} AND NOT EXISTS (
    SELECT FROM pg_depend e WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid
                              AND e.refclassid = 'pg_extension'::regclass AND e.deptype = 'e')
"""

FIELDS = """
SELECT t.oid, left(string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', '
                              ORDER BY a.attnum), 1000)
FROM pg_type t
JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
GROUP BY 1
"""

PARTITIONS = """
WITH RECURSIVE below AS (
    SELECT i.inhparent AS root, i.inhrelid AS oid
    FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent
    WHERE p.relkind = 'p' AND NOT p.relispartition
  UNION ALL
    SELECT b.root, i.inhrelid FROM below b JOIN pg_inherits i ON i.inhparent = b.oid
)
SELECT b.root, count(*), sum(CASE WHEN c.reltuples >= 0 THEN c.reltuples END)::bigint
FROM below b JOIN pg_class c ON c.oid = b.oid
WHERE c.relkind <> 'p'
GROUP BY 1
"""

PARENTS = """
SELECT i.inhrelid, string_agg(n.nspname || '.' || p.relname, ', ' ORDER BY i.inhseqno)
FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid AND NOT c.relispartition
JOIN pg_class p ON p.oid = i.inhparent
JOIN pg_namespace n ON n.oid = p.relnamespace
WHERE c.relkind IN ('r', 'f')
GROUP BY 1
"""

DEPENDENCIES = """
SELECT r.ev_class, (array_agg(DISTINCT n.nspname || '.' || c.relname))[1:20]
FROM pg_rewrite r
JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
JOIN pg_class c ON c.oid = d.refobjid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
JOIN pg_namespace n ON n.oid = c.relnamespace
GROUP BY 1
"""

RELATION = f"""
SELECT c.oid, c.relkind, {_ROWS} AS rows, c.relpages
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = :schema AND c.relname = :table
"""

# Uses pg_inherits, because pg_partition_tree would lock every partition.
LARGEST = """
WITH RECURSIVE below AS (
    SELECT i.inhrelid AS oid FROM pg_inherits i WHERE i.inhparent = :relation
  UNION ALL
    SELECT i.inhrelid FROM below b JOIN pg_inherits i ON i.inhparent = b.oid
)
SELECT n.nspname AS schema, c.relname AS table, c.reltuples::bigint AS rows
FROM below b JOIN pg_class c ON c.oid = b.oid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind <> 'p' ORDER BY c.reltuples DESC LIMIT 1
"""

# Whether a readable table and all tables below it have no rows. Statistics of ANALYZE may be older
# than that. Without pages, the file's size decides (a short lock); otherwise, ANALYZE does.
EMPTY = """
WITH RECURSIVE below AS (
    SELECT CAST(:relation AS oid) AS oid
  UNION ALL
    SELECT i.inhrelid FROM below b JOIN pg_inherits i ON i.inhparent = b.oid
)
SELECT has_any_column_privilege(CAST(:relation AS oid), 'SELECT') AND bool_and(
    CASE WHEN c.relkind = 'p' THEN true
         WHEN c.relkind IN ('r', 'm') AND c.relpages = 0 THEN pg_relation_size(c.oid) = 0
         ELSE c.reltuples = 0 AND pg_stat_get_live_tuples(c.oid) = 0 END)
FROM below b JOIN pg_class c ON c.oid = b.oid
"""

STATISTICS = """
SELECT s.attname, s.null_frac, s.n_distinct, s.most_common_vals::text::text[],
       s.most_common_freqs, (s.histogram_bounds::text::text[])[1],
       (s.histogram_bounds::text::text[])[array_upper(s.histogram_bounds::text::text[], 1)],
       s.most_common_elems::text::text[], s.most_common_elem_freqs,
       CASE WHEN (SELECT a.atttypid = 'jsonb'::regtype FROM pg_attribute a
                  WHERE a.attrelid = :relation AND a.attname = s.attname)
            THEN s.histogram_bounds::text::text[] END,
       (SELECT a.atttypid = 'tsvector'::regtype FROM pg_attribute a
        WHERE a.attrelid = :relation AND a.attname = s.attname),
       -- ANALYZE looks at 300 rows for each point of the target (its documentation, PostgreSQL 18).
       300 * coalesce(
           (SELECT nullif(a.attstattarget, -1) FROM pg_attribute a
            WHERE a.attrelid = format('%I.%I', s.schemaname, s.tablename)::regclass
              AND a.attname = s.attname),
           current_setting('default_statistics_target')::int)
FROM pg_stats s
WHERE s.schemaname = :schema AND s.tablename = :table AND s.attname = ANY(:columns)
ORDER BY s.inherited
"""

EXTENDED = """
SELECT e.attnames::text[], e.most_common_vals::text[], e.most_common_freqs
FROM pg_stats_ext e
WHERE e.schemaname = :schema AND e.tablename = :table AND e.attnames::text[] && :columns
  AND e.most_common_vals IS NOT NULL
"""
