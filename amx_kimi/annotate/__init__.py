"""A column's way from the database to its description in the journal.

- `job`: what is asked of a run, and what it works with; `run`: the run, told in order
- `opening`: its database and its row in the journal; `ending`: what came of it; `terminate`:
  SIGTERM
- `reader`: the thread that reads a database; `inventory`: every column into the journal; `inherit`,
  `moved`, `technical`: what dbt knows already, whose data changed, which columns are asked once
- `pending`: from the inventory to the tables asked next; `pack`: how many columns a request
  carries (`batch`); `prompt`, `parse`: the contract with the model, both ways, and `plain`: markup
  taken out; `confidence`: how sure it is; `context/`: glossaries, house rules, dbt manifests
- `asking`: batches through the client into the journal; `trial`: when to stop
- `estimate`: what asking would take; `advise`: with which profile; `payload`: to the byte;
  `hint`: asking again about one item
"""
