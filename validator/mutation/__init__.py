"""Break what was seen, one value at a time, and see whether a spec notices."""
