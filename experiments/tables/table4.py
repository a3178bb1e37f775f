"""Table 4: the PPM of each round with the policy of round 1, beside best-of-N and majority at equal tokens.

    python experiments/tables/table4.py --config cpu      # or qwen2_5_math_7b; --help lists all options

From a finished run; runs what is missing and writes RUN_DIR/reproduction/report/table_4.md, .tex and .csv. With
--report it only writes what there is. Expected: rising; the paper has its largest step from round 1 to round 2.
Hardware: that of the run's evaluations.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from reproduction_script import main

if __name__ == "__main__":
    main(["table_4"], __doc__)
