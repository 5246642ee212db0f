"""Runs SQL in a real Spark, for `databricks_server`: one JSON object a line in, one out.

Started with the emulators' Python, which has pyspark. Beside Spark's own catalog it keeps the
relations of Databricks' `information_schema` (its documented columns that are read, 2026): tables
and columns are Spark's, and what Spark does not have (tags, keys, materialized views) is put there
by a test. Databricks writes comments on views with `COMMENT ON`; Spark 4.3 refuses that, so they
are kept here.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

RELATIONS = {
    "schemata": "catalog_name STRING, schema_name STRING",
    "tables": "table_catalog STRING, table_schema STRING, table_name STRING, table_type STRING,"
    " comment STRING",
    "views": "table_catalog STRING, table_schema STRING, table_name STRING, view_definition STRING",
    "columns": "table_catalog STRING, table_schema STRING, table_name STRING, column_name STRING,"
    " ordinal_position INT, is_nullable STRING, full_data_type STRING, comment STRING",
    "table_constraints": "constraint_catalog STRING, constraint_schema STRING, constraint_name"
    " STRING, table_catalog STRING, table_schema STRING, table_name STRING, constraint_type STRING",
    "key_column_usage": "constraint_catalog STRING, constraint_schema STRING, constraint_name"
    " STRING, table_catalog STRING, table_schema STRING, table_name STRING, column_name STRING,"
    " ordinal_position INT, position_in_unique_constraint INT",
    "referential_constraints": "constraint_catalog STRING, constraint_schema STRING,"
    " constraint_name STRING, unique_constraint_catalog STRING, unique_constraint_schema STRING,"
    " unique_constraint_name STRING",
    "table_tags": "catalog_name STRING, schema_name STRING, table_name STRING, tag_name STRING,"
    " tag_value STRING",
    "column_tags": "catalog_name STRING, schema_name STRING, table_name STRING, column_name STRING,"
    " tag_name STRING, tag_value STRING",
}
CATALOG = "spark_catalog"


class Spark:
    def __init__(self, folder: Path) -> None:
        from pyspark.sql import SparkSession

        quiet = {
            "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": "1",
            "spark.sql.catalogImplementation": "in-memory",
            "spark.sql.warehouse.dir": str(folder / "warehouse"),
            "spark.driver.memory": "700m",
            # The queries are small: compiling them would take longer than running them.
            "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
            "spark.sql.codegen.wholeStage": "false",
            "spark.sql.codegen.factoryMode": "NO_CODEGEN",
            "spark.sql.adaptive.enabled": "false",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
        }
        self.session = SparkSession.builder.master("local[1]").config(map=quiet).getOrCreate()
        self.session.sparkContext.setLogLevel("OFF")
        self.added: dict[str, list[dict[str, Any]]] = {}
        self.on_views: dict[tuple[str, str, str], str] = {}
        self.is_stale = True
        self.told: dict[str, str] = {}
        self.session.sql("CREATE SCHEMA information_schema")

    def answer(self, ask: dict[str, Any]) -> dict[str, Any]:
        from pyspark.errors import PySparkException

        if "put" in ask:
            self.added = ask["put"]
            self.is_stale = True
            return {}
        if "parse" in ask:
            parser = self.session._jsparkSession.sessionState().sqlParser()
            return {"plan": parser.parsePlan(ask["parse"]).toString()}
        try:
            return self._run(ask["sql"])
        except PySparkException as error:
            if "EXPECT_TABLE_NOT_VIEW" in str(error) and ask["sql"].startswith("COMMENT ON"):
                self._comment_on_view(ask["sql"])
                return {"columns": [], "rows": []}
            return {"error": str(error).partition("\n== SQL")[0]}

    def _run(self, sql: str) -> dict[str, Any]:
        if "information_schema" in sql:
            self._fill()
        elif not sql.lstrip().upper().startswith(("SELECT", "SHOW", "DESCRIBE")):
            self.is_stale = True
        frame = self.session.sql(sql)
        columns = [[name, type_] for name, type_ in frame.dtypes]
        rows = [[_plain(value) for value in row] for row in frame.collect()]
        return {"columns": columns, "rows": rows}

    def _comment_on_view(self, sql: str) -> None:
        plan = self.session._jsparkSession.sessionState().sqlParser().parsePlan(sql)
        parts = plan.children().head().multipartIdentifier().mkString("\0").split("\0")
        column, text = "", None
        if sql.startswith("COMMENT ON COLUMN"):
            spec = plan.specs().head()
            column = spec.column().name().mkString(".")
            text = spec.newComment().get() if spec.newComment().isDefined() else None
        else:
            text = plan.comment()
        self.on_views[parts[1], parts[2], column] = text or ""
        self.is_stale = True

    def _fill(self) -> None:
        if not self.is_stale:
            return
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in RELATIONS}
        catalog = self.session._jsparkSession.sessionState().catalog().externalCatalog()
        for schema in catalog.listDatabases().mkString("\0").split("\0"):
            found["schemata"].append({"catalog_name": CATALOG, "schema_name": schema})
            if schema == "information_schema":
                continue
            for name in filter(None, catalog.listTables(schema).mkString("\0").split("\0")):
                self._tell(catalog.getTable(schema, name), schema, name, found)
        for relation, rows in self.added.items():
            found[relation] += rows
        for relation, rows in found.items():
            query = _query(RELATIONS[relation], rows)
            if self.told.get(relation) != query:
                name = f"information_schema.{relation}"
                self.session.sql(f"CREATE OR REPLACE VIEW {name} AS {query}")
                self.told[relation] = query
        self.is_stale = False

    def _tell(
        self, table: Any, schema: str, name: str, found: dict[str, list[dict[str, Any]]]
    ) -> None:
        from pyspark.sql.types import StructType

        place = {"table_catalog": CATALOG, "table_schema": schema, "table_name": name}
        comment = table.comment().get() if table.comment().isDefined() else None
        type_ = table.tableType().name()
        comment = self.on_views.get((schema, name, ""), comment)
        found["tables"].append({**place, "table_type": type_, "comment": comment or None})
        if table.viewText().isDefined():
            found["views"].append({**place, "view_definition": table.viewText().get()})
        fields = StructType.fromJson(json.loads(table.schema().json())).fields
        for number, field in enumerate(fields):
            told = (field.metadata or {}).get("comment")
            found["columns"].append(
                {
                    **place,
                    "column_name": field.name,
                    "ordinal_position": number,  # as Unity Catalog tells it, whatever is documented
                    "is_nullable": "YES" if field.nullable else "NO",
                    "full_data_type": field.dataType.simpleString(),
                    "comment": self.on_views.get((schema, name, field.name), told),
                }
            )


def _query(definition: str, rows: list[dict[str, Any]]) -> str:
    columns = [column.split() for column in definition.split(", ")]
    if not rows:
        picked = (f"CAST(NULL AS {type_}) AS {name}" for name, type_ in columns)
        return f"SELECT {', '.join(picked)} WHERE false"
    lines = (", ".join(_literal(row.get(name)) for name, _ in columns) for row in rows)
    picked = (f"CAST({name} AS {type_}) AS {name}" for name, type_ in columns)
    names = ", ".join(name for name, _ in columns)
    values = ", ".join(f"({line})" for line in lines)
    return f"SELECT {', '.join(picked)} FROM VALUES {values} AS t({names})"


def _literal(value: Any) -> str:
    if value is None or isinstance(value, int):
        return "NULL" if value is None else str(value)
    text = str(value).replace("\\", "\\\\").replace("'", "\\'").replace("$", "\\u0024")
    return f"'{text}'"


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int | bool) else str(value)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # Java's own lines
    spark = Spark(Path(sys.argv[1]))
    answers.write('{"ready": true}\n')
    answers.flush()
    for line in sys.stdin:
        answers.write(json.dumps(spark.answer(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
