"""Showing a run: a live panel on a terminal, plain or JSON lines elsewhere, and a file for `personastream status`."""
