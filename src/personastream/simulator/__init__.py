"""An OpenAI-compatible LLM simulator on loopback: deterministic replies, latency, limits and faults.

`behaviour.Behaviour` says how it behaves; `server.serve` (async) and `server.serve_in_thread` (blocking) run it.
"""
