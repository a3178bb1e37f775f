"""One search tree as one HTML file, to be looked at: `python -m rstar_jax.view TREE.parquet`.

    marks      which of its trajectories and steps became training data
    history    how it came to be, rollout by rollout, from the finished tree
    document   all that is shown, as JSON: pure
    html       the document and the parts of the page (`page/`) in one file
"""
