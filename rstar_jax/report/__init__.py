"""A run as one page to read: `python -m rstar_jax.report RUN_DIR` writes RUN_DIR/report/report.html.

    curves   training curves, PPM accuracy and cost, from metrics files
    worth    trees worth reading: solved late, corrected on the way, never solved
    page     all of it as HTML, with plots inside it; pages of trees lie beside it
"""
