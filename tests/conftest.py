"""Fixtures for all tests: where the reference folder is, and what "as good as torch" means."""

from __future__ import annotations

import importlib
import importlib.util
import os
import types
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from any_cost import programs_anywhere
from stand_ins import some_torchvision
from tolerance import assert_as_good_as_torch


def pytest_configure() -> None:
    """Share the processors out among the workers of pytest-xdist.

    Torch's threads wait for each other without giving way: where there are more of them than
    processors, a test takes ten times as long. Programs of several threads are tests of their own.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        torch.set_num_threads(max(1, torch.get_num_threads() // workers))


@pytest.fixture(scope="session")
def reference_dir() -> Path:
    """The folder that holds ``reference/`` and ``data/``; without it the test skips, saying so.

    ``$ESR_KERNELS_REFERENCE``, which the checkout's ``conftest.py`` sets where it finds one. Mark a
    test that uses this fixture with ``@pytest.mark.reference``.
    """
    folder = os.environ.get("ESR_KERNELS_REFERENCE", "")
    if not (Path(folder) / "reference").is_dir():
        pytest.skip("no reference folder: set ESR_KERNELS_REFERENCE to one")
    return Path(folder)


@pytest.fixture(autouse=True)
def programs_at_any_cost(request) -> Iterator[None]:
    """Tests run the kernels on networks that are too small to gain by them. Unless marked
    ``real_costs``."""
    built = importlib.util.find_spec("esr_kernels._C") is not None
    real = request.node.get_closest_marker("real_costs")
    with programs_anywhere() if built and not real else nullcontext():
        yield


@pytest.fixture(scope="session")
def spandrel() -> Iterator[types.ModuleType]:
    """The package spandrel; without it the test skips.

    It imports torchvision for networks that are not used here: where that is missing, or built for
    another torch and does not import, a stand-in does.
    """
    if importlib.util.find_spec("spandrel") is None:
        pytest.skip("spandrel is not installed: pip install -e '.[test]'")
    with some_torchvision():
        yield importlib.import_module("spandrel")


@pytest.fixture(scope="session")
def tolerance() -> Callable[..., None]:
    """:func:`assert_as_good_as_torch`, the tolerance rule of every numeric test."""
    return assert_as_good_as_torch
