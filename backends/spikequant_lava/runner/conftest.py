"""Keep pytest out of this folder: its modules import lava and run in the isolated interpreter only."""

collect_ignore_glob = ["*"]
