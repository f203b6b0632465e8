"""Transforms: each thins the stream in its own way. `type = "near_dedup"` means `NearDedup` in `near_dedup.py`."""
