"""The value of refusing steps whose code fails, and of pairs of final answers for the PPM (not in the paper).

    python experiments/tables/ablations.py --config cpu      # or qwen2_5_math_7b; --help lists all options

From a finished run; runs what is missing and writes RUN_DIR/reproduction/report/ablations.md, .tex and .csv. With
--report it only writes what there is. Trains a PPM without those pairs on the way.
Hardware: that of the run's evaluations.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from reproduction_script import main

if __name__ == "__main__":
    main(["ablations"], __doc__)
