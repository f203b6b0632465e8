"""Starting runs: the run directory and its manifest, one process, its signals."""
