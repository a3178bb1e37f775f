"""Table 9: generated tokens to obtain one trajectory by search, and by a single sample.

    python experiments/tables/table9.py --config cpu      # or qwen2_5_math_7b; --help lists all options

From a finished run; runs what is missing and writes RUN_DIR/reproduction/report/table_9.md, .tex and .csv. With
--report it only writes what there is. Expected: a search costs several samples; harder problems cost more.
Hardware: that of the run's evaluations.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from reproduction_script import main

if __name__ == "__main__":
    main(["table_9"], __doc__)
