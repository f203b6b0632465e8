"""personastream: streams personas through an LLM, with every row accounted for."""

__version__ = "0.1.0"
