"""What is published from the journal: comments, exports, reports; and the review before that."""
