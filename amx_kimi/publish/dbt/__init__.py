"""dbt: streams a new `schema.yml`, or adds descriptions to an existing property file."""

from amx_kimi.publish.dbt.merge import MergeRules, merge_dbt
from amx_kimi.publish.dbt.new_file import write_dbt
from amx_kimi.publish.dbt.project import Project, project_around, read_project
from amx_kimi.publish.dbt.texts import Merged, Section, escape

__all__ = [
    "MergeRules",
    "Merged",
    "Project",
    "Section",
    "escape",
    "merge_dbt",
    "project_around",
    "read_project",
    "write_dbt",
]
