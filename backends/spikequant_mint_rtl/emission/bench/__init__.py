"""The test benches of an emitted folder, beside its files."""
