"""What leaves the journal, and what people decide about it.

- `review`: decisions, one by one; `decision_file`: in a spreadsheet; `choose`: which texts may go
- `apply`: comments in a database, and back; `coverage`: how many columns have one
- `export`: CSV, JSON, JSON Lines, Markdown; `datahub`; `dbt/`: property files, with `yaml_places`
  and `yaml_lines` to change them line by line; `report/`: an HTML page
- `amx_history`: a run in AMX's history; `import_amx`: what was accepted there
"""
