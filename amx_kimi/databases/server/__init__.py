"""What the kinds of database servers share: a connection, a catalog read by a few statements, and
comments that are written and verified."""
