"""Benchmarks. Each is run as `python -m bench.NAME` from the project's root and ends with one JSON object."""
