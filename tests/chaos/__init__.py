"""Seeded trouble for the real program, and what has to hold after each: `make chaos`.

`world` is one life of a user's: a home, a database, and the sandbox that bills it. `invariants`
says what has to hold. `mixes` are faults of the service, `kills` ends of the process, `troubles`
what happens to databases, disks and clocks. `runner` is the long run, `test_chaos` the short one.
"""
