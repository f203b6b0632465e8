"""The daemon: jobs under shared limits, an HTTP API, a page to watch them on. Starts with `personastream serve`."""
