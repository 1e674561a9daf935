"""Programs on the CPU wherever a convolution can be in one, whether that is faster or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest


@contextmanager
def programs_anywhere() -> Iterator[None]:
    """While it lasts; the kernels have to be built."""
    from esr_kernels.backends.cpu import builder

    def gain(parts, *_, **__) -> float:
        return sum(builder.OP_SET.standalone(part.op, part.args) for part in parts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builder, "OP_SET", replace(builder.OP_SET, gain=gain))
        yield
