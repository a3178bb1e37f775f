"""`python -m rstar_jax.serve`: see `command`."""

from __future__ import annotations

import importlib.util

from rstar_jax.errors import InputError, run_main

NEEDED = ("starlette", "uvicorn", "pydantic")


def go() -> int:
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise InputError(f"the server needs {', '.join(missing)}: pip install -e '.[serve]'")
    from rstar_jax.serve import command

    return command.go()


if __name__ == "__main__":
    run_main(go)
