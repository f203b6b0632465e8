"""Licences of sources and terms of models: what they are called, what they say, and whether a run may go on with them.

Everything here is a decision over facts; `facts.toml` holds the facts. None of it is legal advice.
"""
