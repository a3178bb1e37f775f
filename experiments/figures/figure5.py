"""Figure 5: each policy alone, and what the same PPM makes of it.

    python experiments/figures/figure5.py --config cpu      # or qwen2_5_math_7b; --help lists all options

From a finished run; runs what is missing and writes RUN_DIR/reproduction/report/figure_5.png and .svg, with the paper's
points. With --report it only draws what there is. Hardware: that of the run's evaluations.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from reproduction_script import main

if __name__ == "__main__":
    main(["figure_5"], __doc__)
