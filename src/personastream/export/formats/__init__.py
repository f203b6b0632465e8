"""Formats: each module holds one `FORMAT`, which makes a row of a record."""
