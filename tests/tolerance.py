"""The tolerance rule, which benchmarks hold everybody to as well, under the name of the tests."""

from esr_kernels.benchmark.tolerance import assert_as_good_as_torch, errors

__all__ = ["assert_as_good_as_torch", "errors"]
