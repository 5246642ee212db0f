"""What leaves the journal: exports."""
