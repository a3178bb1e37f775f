"""Table 2: share of the training problems that each round has solved, by level. Nothing has to be run for it.

    python experiments/tables/table2.py --config cpu      # or qwen2_5_math_7b; --help lists all options

From a finished run; runs what is missing and writes RUN_DIR/reproduction/report/table_2.md, .tex and .csv. With
--report it only writes what there is. Expected: rising with every round, most on the hardest level.
Hardware: that of the run's evaluations.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from reproduction_script import main

if __name__ == "__main__":
    main(["table_2"], __doc__)
