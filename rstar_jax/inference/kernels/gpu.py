"""GPU."""
from rstar_jax.inference import blocks
