"""Search for solutions: Monte Carlo trees, single samples, and the run over many problems.

`config` and `presets` say how, `mcts` searches (over `tree`, `candidates`, `running`), `sampling` does without a tree,
`trajectories` reads solutions off a tree, `store` and `runner` keep them. `goldens` and `replay` compare with the
authors' search. Policy, PPM, executor and grader are known by `protocols` only.
"""
