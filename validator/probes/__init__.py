"""Ways to get a payload. One kind of place per file."""
