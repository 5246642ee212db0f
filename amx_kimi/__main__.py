"""`python -m amx_kimi`."""

from amx_kimi.cli import main

main()
