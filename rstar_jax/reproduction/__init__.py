"""The paper's tables and figures from finished runs: what they need is run, then measured, tested and laid out.

    plan         which benchmarks, how many trajectories, which other runs
    models       the models of a run by their names in the paper, and those that only a table needs (ablations)
    evaluations  one model, or two, by one method on one benchmark; resumable, kept with the run
    ways         from an evaluation to answers: a rule, a number of trajectories
    study        several seeds: accuracies, differences, costs, with intervals
    specs        the tables as values
    tables       specs filled from a study, beside the paper's cells
    figures      the figures, with the paper's points
"""
