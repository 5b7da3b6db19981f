"""The engine of Diehl-Cook networks."""
