"""Write a first spec from what endpoints show: what was seen to hold, and what to think about."""
