"""An LLM simulator on loopback that speaks OpenAI's and Anthropic's protocols: replies, latency, limits, faults.

`behaviour.Behaviour` says how it behaves; `server.serve` (async) and `server.serve_in_thread` (blocking) run it. Bytes
become requests in `request_reader` and `connection`; `simulator.Simulator` follows each to its end; `service.Service`
decides, without clock or network, what it is answered; `course.Course` changes the behaviour on the way.
"""
