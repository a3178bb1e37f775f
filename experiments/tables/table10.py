"""Table 10: the greedy policies of every base model, and the base models themselves.

    python experiments/tables/table10.py --config cpu      # or qwen2_5_math_7b; --help lists all options

From a finished run; runs what is missing and writes RUN_DIR/reproduction/report/table_10.md, .tex and .csv. With
--report it only writes what there is. Base models are asked in the policy's format here, in which they solve next to
nothing; `evaluate_plain.py` asks them in their own.
Hardware: that of the run's evaluations.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from reproduction_script import main

if __name__ == "__main__":
    main(["table_10"], __doc__)
