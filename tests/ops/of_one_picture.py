"""The tests that ops share which take one picture and are torch's by themselves.

As steps of programs they are in ``test_resized_programs.py``.
"""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from images import image
from operands import (
    DTYPES,
    LAYOUTS,
    amid_nan,
    assert_gradients,
    assert_matches,
    assert_refuses,
    assert_same_format,
    channels_last,
)

from esr_kernels.op import Op

#: What no op takes in the place of its picture.
NO_PICTURES = [
    (TypeError, "x must be a torch.Tensor, not list", 0, [torch.rand(1, 5, 9, 9)]),
    (TypeError, "x is uint8; use float32", 0, torch.ones(1, 5, 9, 9).byte()),
    (ValueError, "expected [N, C, H, W]", 0, torch.rand(5, 9, 9)),
    (ValueError, "x is empty", 0, torch.rand(1, 5, 0, 9)),
]


def picture(n: int, c: int, height: int, width: int, dtype: torch.dtype) -> torch.Tensor:
    """Of both signs."""
    return (4 * image(n, c, height, width) - 1).to(dtype)


class OfOnePicture:
    """``cases``: what ``rest`` makes the arguments behind the picture of. ``refused``: error, words
    of it, and which argument is replaced by what."""

    op: ClassVar[Op]
    cases: ClassVar[tuple]
    refused: ClassVar[tuple[tuple[type[Exception], str, int, Any], ...]]

    def rest(self, x: torch.Tensor, case: Any) -> tuple:
        """The schema arguments behind the picture."""
        return case

    def call(self, *args):
        """The public function with the schema arguments."""
        raise NotImplementedError

    def arguments(self, case, dtype=torch.float32, n=2, c=5, size=(17, 20)) -> tuple:
        x = picture(n, c, *size, dtype)
        return x, *self.rest(x, case)

    @pytest.mark.parametrize("dtype", DTYPES, ids=str)
    def test_cases(self, dtype):
        for case in self.cases:
            for channels, size in [(1, (8, 8)), (26, (31, 33)), (52, (9, 64))]:
                args = self.arguments(case, dtype, c=channels, size=size)
                assert_matches(self.call(*args), self.op.reference, args)

    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_layouts(self, layout):
        x, *rest = self.arguments(self.cases[0], n=3)
        args = layout(x), *rest
        ours = self.call(*args)
        assert_matches(ours, self.op.reference, args)
        assert_same_format(args[0], ours)

    @pytest.mark.parametrize("layout", [torch.clone, channels_last, amid_nan])
    def test_opcheck(self, layout):
        for case in self.cases:
            x, *rest = self.arguments(case, size=(8, 9))
            torch.library.opcheck(self.op.target, (layout(x).requires_grad_(), *rest))

    def test_gradients(self):
        x, *rest = self.arguments(self.cases[0], torch.float64, n=1, c=2, size=(8, 9))
        assert_gradients(self.op.target, self.op.reference, (x.requires_grad_(), *rest))

    def test_bad_input(self):
        for error, words, position, value in (*NO_PICTURES, *self.refused):
            args = list(self.arguments(self.cases[0]))
            args[position] = value
            assert_refuses(error, words, self.call, *args)
