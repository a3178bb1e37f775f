"""Deep thinking on a question: search with policy and PPM where no answer is known (paper section 4.1).

`models` finds policy, PPM and the settings that belong to them, `system` opens them, `thought` grows the trees of one
question until they are done, time is up or somebody has heard enough, `outcome` reads an answer off them, at any
moment. The commands `rstar_jax.solve` and `rstar_jax.serve` are what a person and a client see of it.
"""
