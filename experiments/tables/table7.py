"""Table 7: the policy trained on random samples, on the best of many samples by the ORM, and on verified search.

    python experiments/tables/table7.py --config cpu      # or qwen2_5_math_7b; --help lists all options

From a finished run; runs what is missing and writes RUN_DIR/reproduction/report/table_7.md, .tex and .csv. With
--report it only writes what there is. Trains two policies and an ORM on the way. Expected in the paper: 72.4, 73.4,
78.4 on MATH.
Hardware: that of the run's evaluations.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from reproduction_script import main

if __name__ == "__main__":
    main(["table_7"], __doc__)
