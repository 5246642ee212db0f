"""A column's way from the database to its description in the journal.

A run:

- `job`: a run's task, and what it works with; `run`: the steps of a run, in order
- `opening`: opens its database and its row in the journal; `ending`: its result; `terminate`:
  what SIGTERM does

From the database to the journal:

- `reader`: the thread that reads a database; `inventory`: writes every column to the journal
- `inherit`: what dbt knows already; `moved`: whose data changed; `technical`: columns asked once

From the journal to the model, and back:

- `pending`: the tables to ask about next; `pack`: how many columns a request (`batch`) carries
- `prompt`, `parse`: the contract with the model, both ways; `plain`: removes markup
- `confidence`: how sure the model is; `context/`: glossaries, house rules, dbt manifests
- `asking`: sends batches and keeps the answers; `trial`: when to stop

Without a run: `estimate`: what asking would cost; `advise`: compares profiles; `payload`: exactly
what would be sent; `hint`: asks again about one item.
"""
