"""A column's way from the database to its description in the journal.

- `sources/`: databases, read gently; `reader`: the thread that reads one
- `inventory`: every column into the journal; `batches`: from there to requests
- `redact`: what may leave of a value; `pack`: how many columns a request carries
- `prompt`, `parse`: the contract with the model, both ways; `confidence`: how sure it is
- `job`: what is asked of a run; `run`: the run itself
"""
