"""Rates and totals of engines."""

from __future__ import annotations

from rstar_jax.inference.config import Metrics
from rstar_jax.inference.meter import Meter


def test_rates_since_the_last_call_and_totals_since_the_start():
    now = [0.0]
    policy, ppm = Metrics(decoded=100, pages=10), Metrics()
    meter = Meter({"policy": policy, "ppm": ppm}, clock=lambda: now[0])
    now[0], policy.decoded, policy.held, policy.waiting, ppm.scored = 2.0, 300, 4, 7, 50
    words = meter()
    assert "policy: decoded 100/s, pool 40% used" in words
    assert "7 waiting; ppm: scored 25/s" in words
    now[0], ppm.scored, ppm.reused = 4.0, 150, 10
    words = meter()
    assert "decoded" not in words
    assert "scored 50/s, reused 5/s" in words
    totals = meter.totals()
    assert (totals["seconds"], totals["policy_decoded"], totals["ppm_scored"]) == (4.0, 200, 150)
    assert "policy_waiting" not in totals


def test_without_engines_there_is_nothing_to_say():
    assert Meter({})() == ""
