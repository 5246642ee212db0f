"""Kimi inside AMX: AMX's `kimi` profiles use our policy and client; everything else stays.

- `points`: where we attach, and what we expect there; `compare`: checks this in AMX's source,
  without importing it
- `attach`: attaches all points or none, each when its module is imported
- `chat`, `profile`, `errors`, `batches`, `prices`, `wizard`, `daemon`: the code for the points
- `enable`, `hook`: Kimi in every AMX process of an environment, opt-in
- `launch`, `launched/`: Kimi in one AMX, and in the processes that it starts
"""
