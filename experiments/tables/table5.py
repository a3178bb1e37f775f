"""Table 5: the main results, System 1 and System 2 of every base model, beside best-of-N and majority at equal tokens.

    python experiments/tables/table5.py --config cpu      # or qwen2_5_math_7b; --help lists all options

From a finished run; runs what is missing and writes RUN_DIR/reproduction/report/table_5.md, .tex and .csv. With
--report it only writes what there is. Expected: System 2 above the greedy policy of the same model.
Hardware: that of the run's evaluations.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from reproduction_script import main

if __name__ == "__main__":
    main(["table_5"], __doc__)
