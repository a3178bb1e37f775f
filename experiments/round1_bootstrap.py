"""Round 1: a large model searches, so that the small one learns the format (section 3.4.2).

    python experiments/round1_bootstrap.py --config cpu --run-dir runs/cpu

8 rollouts of 5 candidates, Q guided by terminal answers only. The PPM of this round is trained too, but it is weak and
no search uses it.
"""

from common import main

from rstar_jax.evaluation.summary import RoundSummary
from rstar_jax.evolution import stages
from rstar_jax.evolution.lab import Lab
from rstar_jax.evolution.summarise import summarise_round


async def run(lab: Lab) -> RoundSummary:
    this = lab.config.rounds[0]
    await stages.search_problems(lab, this)
    stages.build_data(lab, this)
    stages.make_base(lab)
    stages.fit_policy(lab, this)
    stages.fit_ppm(lab, this)
    return await summarise_round(lab, this)


if __name__ == "__main__":
    main(run, __doc__)
