"""rStar-Math in JAX: a policy and a process preference model that improve each other by tree search."""

__version__ = "0.1.0"
