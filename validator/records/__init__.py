"""What is known: facts as frozen records, without I/O."""
