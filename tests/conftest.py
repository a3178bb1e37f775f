"""The fakes as a fixture, since tests are imported without their folder on the path."""

from __future__ import annotations

import importlib.util
import pathlib
import sys
from types import ModuleType

import pytest

FAKES = pathlib.Path(__file__).with_name("search") / "fake_search.py"


@pytest.fixture(scope="session")
def fakes() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fake_search", FAKES)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
