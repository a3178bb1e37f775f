"""Table 1: the headline systems with 64 trajectories a problem, and what they cost.

    python experiments/tables/table1.py --config cpu      # or qwen2_5_math_7b; --help lists all options

From a finished run; runs what is missing and writes RUN_DIR/reproduction/report/table_1.md, .tex and .csv. With
--report it only writes what there is. Expected: System 2 above every greedy policy; whether it is above best-of-N at
equal tokens is what the table shows.
Hardware: that of the run's evaluations.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from reproduction_script import main

if __name__ == "__main__":
    main(["table_1"], __doc__)
