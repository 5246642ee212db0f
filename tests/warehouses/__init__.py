"""Kinds of databases that need emulators and drivers of their own: `make warehouses`."""
