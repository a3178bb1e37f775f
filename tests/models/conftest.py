import jax
import pytest

from rstar_jax.models.sharding import make_mesh


@pytest.fixture(autouse=True)
def mesh():
    with jax.set_mesh(make_mesh()) as mesh:
        yield mesh
