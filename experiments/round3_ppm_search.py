"""Round 3: the PPM guides the search (section 3.4.2).

    python experiments/round3_ppm_search.py --config cpu --run-dir runs/cpu

16 rollouts of SLM-r2; every new step starts with the value that PPM-r2 gives it (Eq. 3).
"""

from common import main

from rstar_jax.evaluation.summary import RoundSummary
from rstar_jax.evolution import stages
from rstar_jax.evolution.lab import Lab
from rstar_jax.evolution.summarise import summarise_round


async def run(lab: Lab) -> RoundSummary:
    this = lab.config.rounds[2]
    await stages.search_problems(lab, this)
    stages.build_data(lab, this)
    stages.fit_policy(lab, this)
    stages.fit_ppm(lab, this)
    return await summarise_round(lab, this)


if __name__ == "__main__":
    main(run, __doc__)
