"""A server that speaks OpenAI's chat completions, with search as its way of decoding: `python -m rstar_jax.serve`.

`protocol` reads requests, `replies` writes answers, `limits` says how much one and all clients may have, `service`
thinks about requests on one shared system, `app` is the HTTP around it, `process` lives and ends, `command` starts it.
"""
