"""A profile from nothing to provably working, in a terminal.

- `terminal`: asking a person; `questions`: what is asked; `key`: the key's own question; `base`:
  where an API begins
- `wizard`: `collect` makes a draft and saves nothing; `add_profile` does it all
- `inside`: the same within AMX
"""
