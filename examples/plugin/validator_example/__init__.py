"""What another package may add: a predicate, a format, a driver and a report."""
