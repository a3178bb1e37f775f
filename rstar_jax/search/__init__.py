"""Search for solutions: Monte Carlo trees, step beams, single samples, and the run over many problems.

`config` and `presets` say how, `mcts` searches, with `beam` if asked; both let a `tree` grow by `growing` (over
`candidates` and `running`). `sampling` does without a tree, `trajectories` reads solutions off a tree, `store` and
`runner` keep them. `goldens` and `replay` compare with the authors' search. Policy, PPM, executor and grader are known
by `protocols` only.
"""
