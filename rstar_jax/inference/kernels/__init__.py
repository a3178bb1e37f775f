"""Kernels of single platforms. All take q [R, K, G, h], a pool [P, T, 2K, h], block tables [I, W] and, for each row,
how many tokens of its table it sees; R/I consecutive rows share a table. They differ from `blocks` in speed only.
"""
