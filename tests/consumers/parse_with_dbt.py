"""`dbt parse` with the checks of keys that dbt-core runs for four adapters only, for DuckDB too."""

import sys

from dbt.cli.main import dbtRunner
from dbt.jsonschemas import jsonschemas

jsonschemas._JSONSCHEMA_SUPPORTED_ADAPTERS.add("duckdb")
sys.exit(0 if dbtRunner().invoke(sys.argv[1:]).success else 2)
