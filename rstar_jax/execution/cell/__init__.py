"""The far side of the executor: what runs in a cell process.

A cell is started as a program of its own and imports this package by its short name `cell`, so nothing here
may import from the rest of `rstar_jax`. `main` starts a cell, `supervisor` is its trusted half (it never
runs model-written code), `node` is what goes on in the processes that it forks.
"""
