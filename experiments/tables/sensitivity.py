"""How much System 2 depends on c, depth, candidates and rollouts (not in the paper; its reviewers asked).

    python experiments/tables/sensitivity.py --config cpu      # or qwen2_5_math_7b; --help lists all options

From a finished run; runs what is missing and writes RUN_DIR/reproduction/report/sensitivity.md, .tex and .csv. With
--report it only writes what there is. Expected: no claim. One search a problem, so compare in pairs, as the second
block does.
Hardware: that of the run's evaluations.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from reproduction_script import main

if __name__ == "__main__":
    main(["sensitivity"], __doc__)
