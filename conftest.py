"""Tests and benchmarks alike look for the reference folder in ``../shared`` beside the checkout."""

import os
from pathlib import Path

_SHARED = Path(__file__).resolve().parents[1] / "shared"

if (_SHARED / "reference").is_dir():
    os.environ.setdefault("ESR_KERNELS_REFERENCE", str(_SHARED))
