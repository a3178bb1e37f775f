"""Evaluation: what the models of a round can do, and how sure that is.

Stages: `methods` obtains trajectories (System 1 greedy, samples, System 2 search) and grades them, `plain` does so
for models without rStar training; `run` does it for all problems and can be resumed, `results` keeps a row per
trajectory; `selection` chooses answers, `aggregate` makes one result per problem; `summary` holds the results of a
whole run, `measure` turns them into numbers with `intervals`; `tables`, `render` and `plots` show them beside the
paper's own (`paper`), and `report` writes it all.
"""
