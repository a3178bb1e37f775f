"""Table 3: System 1, the greedy policy of each round, with the difference from round to round.

    python experiments/tables/table3.py --config cpu      # or qwen2_5_math_7b; --help lists all options

From a finished run; runs what is missing and writes RUN_DIR/reproduction/report/table_3.md, .tex and .csv. With
--report it only writes what there is. Expected: rising from round to round, most from the base model to round 1.
Hardware: that of the run's evaluations.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from reproduction_script import main

if __name__ == "__main__":
    main(["table_3"], __doc__)
