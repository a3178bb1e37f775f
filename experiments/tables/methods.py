"""Ways to search and to choose (not in the paper): MCTS, step beam search, DVTS, votes, best-of-N, majority.

    python experiments/tables/methods.py --config cpu      # or qwen2_5_math_7b; --help lists all options

From a finished run; runs what is missing and writes RUN_DIR/reproduction/report/methods.md, .tex and .csv. With
--report it only writes what there is. Expected: no claim; later work found no clear win of searches that a reward model
guides.
Hardware: that of the run's evaluations.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from reproduction_script import main

if __name__ == "__main__":
    main(["methods"], __doc__)
