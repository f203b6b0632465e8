"""Screens: each judges texts of rows, of records or of both, while the run goes on."""
