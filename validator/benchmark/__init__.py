"""How a target fares under more and more load: levels swept, a knee named, two sweeps compared."""
