"""Transforms: each thins the stream in its own way. `type = "near_dedup"` in a config is `NearDedup` in `near_dedup.py`."""
