"""Kimi inside AMX: plain AMX's `kimi` profiles go through our policy and client; all else stays.

- `points`: where we attach, and what we expect to find there; `compare`: whether it is there, by
  reading AMX's source without importing it
- `attach`: all points or none, each when its module is imported
- `chat`, `profile`, `errors`, `batches`, `prices`, `wizard`, `daemon`: what stands at the points
- `enable`, `hook`: into every AMX process of an environment, opt-in
- `launch`, `launched/`: into one AMX, and the processes that it starts
"""
