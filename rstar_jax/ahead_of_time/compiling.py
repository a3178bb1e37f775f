"""A lowered program compiled for chips, and what it takes on each of them. Nothing runs, so no speed."""

from __future__ import annotations

import dataclasses
import re
import time

import jax
from jax.stages import Lowered

from rstar_jax.errors import InputError

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A program compiled for chips. Sizes are bytes on each chip; outputs include what is written over arguments.

    flops: what XLA's cost analysis says, which runs every loop once and knows nothing of kernels.
    hlo: the optimised program.
    """

    seconds: float
    arguments: int
    temporaries: int
    outputs: int
    aliased: int
    flops: float
    hlo: str = dataclasses.field(repr=False)

    @property
    def bytes(self) -> int:
        """What the chip holds while the program runs."""
        return self.arguments + self.temporaries + self.outputs - self.aliased


class DoesNotFit(InputError):
    """A program needs more memory than a chip has. needed, available: bytes, where the compiler tells them."""

    def __init__(self, message: str, needed: int | None, available: int | None):
        super().__init__(message)
        self.needed, self.available = needed, available


def compile_lowered(lowered: Lowered) -> Compiled:
    """Compile a program.

    Raises:
      DoesNotFit: it needs more than the chip's memory.
    """
    start = time.perf_counter()
    try:
        compiled = lowered.compile()
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise does_not_fit(str(error)) from error
    seconds, memory = time.perf_counter() - start, compiled.memory_analysis()
    costs = compiled.cost_analysis() or {}
    assert memory is not None
    return Compiled(
        seconds=seconds,
        arguments=memory.argument_size_in_bytes,
        temporaries=memory.temp_size_in_bytes,
        outputs=memory.output_size_in_bytes,
        aliased=memory.alias_size_in_bytes,
        flops=costs.get("flops", 0.0),
        hlo=compiled.as_text() or "",
    )


_SIZE = r"([\d.]+)([KMGT]?)"
_FORMS = (
    re.compile(rf"Used {_SIZE} of {_SIZE} hbm"),
    re.compile(rf"temporaries \({_SIZE}\) exceeds available HBM \({_SIZE}\)"),
)


def does_not_fit(message: str) -> DoesNotFit:
    """What the compiler says when the memory is exhausted, as one sentence."""
    found = next(filter(None, (form.search(message) for form in _FORMS)), None)
    if found is None:
        return DoesNotFit(f"the program does not fit the chip: {message.splitlines()[0]}", None, None)
    return too_big(*(int(float(found[i]) * _UNITS[found[i + 1]]) for i in (1, 3)))


def too_big(needed: int, available: int) -> DoesNotFit:
    """Sizes are bytes on each chip."""
    sentence = f"the program needs {needed / 2**30:.2f} GiB of each chip's {available / 2**30:.2f} GiB"
    return DoesNotFit(sentence, needed, available)
