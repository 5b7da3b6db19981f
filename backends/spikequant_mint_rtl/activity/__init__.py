"""Gate-level activity: energy of the processing elements' netlists with a user's Liberty library."""
