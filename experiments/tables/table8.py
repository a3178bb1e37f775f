"""Table 8: ORM with best-of-N, PQM and PPM with search, same policy.

    python experiments/tables/table8.py --config cpu      # or qwen2_5_math_7b; --help lists all options

From a finished run; runs what is missing and writes RUN_DIR/reproduction/report/table_8.md, .tex and .csv. With
--report it only writes what there is. Trains an ORM and a PQM on the way. Expected in the paper: 82.6, 88.2, 89.4 on
MATH.
Hardware: that of the run's evaluations.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from reproduction_script import main

if __name__ == "__main__":
    main(["table_8"], __doc__)
