"""Sources: where rows come from. One adapter a module; see `personastream.ports.Source`."""
