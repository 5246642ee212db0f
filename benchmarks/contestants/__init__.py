"""Each contestant, in a process of its own: a task as JSON in, figures as JSON out."""
