"""Our providers against servers that are not ours: `make servers`, in an environment of its own."""
