"""What people already wrote: `--context` files, and the part of them that concerns a column.

- `glossary`: terms with their meanings, house rules for the style
- `dbt`: a manifest's descriptions and compiled SQL; `lineage`: which columns pass unchanged
- `files`: from paths to a `Context`
"""

from amx_kimi.annotate.context.dbt import Manifest, Relation
from amx_kimi.annotate.context.files import Context, load_context
from amx_kimi.annotate.context.glossary import Glossary

__all__ = ["Context", "Glossary", "Manifest", "Relation", "load_context"]
