"""Whether a program fits: all that it holds counts, not only what the compiler refuses by itself."""

from __future__ import annotations

import types

from rstar_jax.ahead_of_time.chips import parse_slice
from rstar_jax.ahead_of_time.report import _fitting


def test_arguments_and_temporaries_together_must_fit() -> None:
    place = parse_slice("v5e-16")
    sizes = {"arguments": 6 * 2**30, "temporaries": 9 * 2**30, "outputs": 6 * 2**30, "aliased": 6 * 2**30}
    compiled = types.SimpleNamespace(**sizes, bytes=15 * 2**30, seconds=1.0, flops=1.0, hlo="")
    assert _fitting(compiled, None, place)["fits"]
    compiled.bytes = place.chip.hbm_bytes + 2**28
    found = _fitting(compiled, None, place)
    assert not found["fits"]
    assert found["sentence"] == "the program needs 16.25 GiB of each chip's 16.00 GiB"
