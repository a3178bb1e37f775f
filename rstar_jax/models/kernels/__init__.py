"""Kernels of single platforms for attention within packed rows. A shard calls them with its own rows and heads:
q [B, L, K, G, h], k and v [B, L, K, h].
"""
