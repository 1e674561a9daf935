"""The ops on the GPU backends: in layouts, dtypes and sizes that kernels get wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

import pytest
import test_conv3x3_pixel_shuffle
import test_conv_act
import test_depthwise_act
import test_esa
import test_selective_scan
import test_spab
import torch
from gpu_device import (
    BACKENDS,
    DEVICE,
    INTERPRETED,
    NEEDS_DEVICE,
    NEEDS_GPU,
    on_device,
    only_backend,
    rounding,
    skip_unless_taken,
)
from operands import (
    DTYPES,
    amid_nan,
    assert_matches,
    assert_same_format,
    channel_slice,
    channels_last,
    contiguous,
)
from torch.utils._pytree import tree_leaves, tree_map

pytestmark = NEEDS_DEVICE
OPS = torch.ops.esr_kernels
REFERENCES = {
    "conv_act": test_conv_act.reference,
    "depthwise_act": test_depthwise_act.reference,
    "esa": test_esa.reference,
    "conv3x3_pixel_shuffle": test_conv3x3_pixel_shuffle.reference,
    "spab": test_spab.reference,
}


@pytest.fixture(autouse=True, params=BACKENDS)
def _backend(request, monkeypatch):
    only_backend(request.param, monkeypatch)


def conv(size, channels=(28, 28), act="silu", k=3, dtype=torch.float32):
    return test_conv_act.arguments(2, *channels, *size, act, k, dtype, residual=True)


def depthwise(size, c, ci, act="gelu", dtype=torch.float32):
    return test_depthwise_act.arguments(2, c, *size, act, ci, dtype, residual=True)


def _cases() -> Iterator[tuple[str, str, Callable]]:
    """Name, op, and a function that makes its schema arguments in a dtype."""
    for size in [(1, 1), (1, 7), (31, 33)]:
        yield f"conv {size}", "conv_act", partial(conv, size)
    for pair in [(3, 26), (26, 28), (28, 46), (46, 48), (48, 52), (52, 112), (112, 3)]:
        yield f"conv {pair}", "conv_act", partial(conv, (9, 35), pair, "lrelu")
    for act, k in product(test_conv_act.ACTIVATIONS, (1, 3)):
        yield f"conv {k}x{k} {act}", "conv_act", partial(conv, (17, 21), (13, 11), act, k)
    for c, ci in [(1, None), (26, 26), (28, None), (48, 46), (52, 3)]:
        yield f"depthwise {ci}-{c}", "depthwise_act", partial(depthwise, (9, 35), c, ci)
    for act, size in product(test_conv_act.ACTIVATIONS, [(1, 7), (17, 21)]):
        yield f"depthwise {act} {size}", "depthwise_act", partial(depthwise, size, 11, 13, act)
    for c, size in [(3, (15, 37)), (28, (31, 33)), (46, (16, 35)), (52, (17, 20))]:
        yield f"esa {c} {size}", "esa", partial(test_esa.arguments, 2, c, *size)
    for c, r in [(28, 4), (46, 3), (3, 2), (52, 8), (6, 33)]:
        size = (7, 33) if r <= 8 else (2, 3)
        arguments = partial(test_conv3x3_pixel_shuffle.arguments, 2, c, *size, r)
        yield f"shuffle {c} x{r}", "conv3x3_pixel_shuffle", arguments
    for c in (26, 28, 48):
        yield f"spab {c}", "spab", partial(test_spab.arguments, 2, c, 7, 33)


CASES = {name: (op, build) for name, op, build in _cases()}


LAYOUTS = [contiguous, channels_last, amid_nan, channel_slice]
#: The interpreter is slow: there every dtype comes once.
KINDS = [*(zip(LAYOUTS[:3], DTYPES, strict=True) if INTERPRETED else product(LAYOUTS, DTYPES))]


@pytest.mark.parametrize(("layout", "dtype"), KINDS, ids=lambda v: getattr(v, "__name__", str(v)))
@pytest.mark.parametrize("case", CASES)
def test_ops(case, layout, dtype):
    op, build = CASES[case]
    skip_unless_taken(op)
    first, *rest = on_device(build(dtype=dtype))
    first = tree_map(layout, first)
    args = first, *rest
    ours = getattr(OPS, op)(*args)
    assert_matches(ours, REFERENCES[op], args, rounding(dtype))
    assert_same_format(tree_leaves(first)[0], *tree_leaves(ours))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("length", "channels", "states"), [(1, 3, 1), (130, 2, 16), (64, 5, 17)])
def test_scans(length, channels, states, dtype):
    skip_unless_taken("selective_scan")
    args = test_selective_scan.usual(length, channels=channels, states=states, dtype=dtype)
    args = on_device(args)
    assert_matches(OPS.selective_scan(*args), test_selective_scan.reference, args)


@NEEDS_GPU
@pytest.mark.parametrize("case", ["conv (46, 48)", "esa 46 (16, 35)", "shuffle 28 x4", "spab 28"])
def test_tf32_is_as_exact_as_float16(case, monkeypatch):
    """Both have 10 bits after the point."""
    op, build = CASES[case]
    args = on_device(build(dtype=torch.float32))
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    assert rounding(torch.float32) == torch.float16
    assert_matches(getattr(OPS, op)(*args), REFERENCES[op], args, torch.float16)


def test_out_writes_a_channel_slice():
    args = on_device(conv((9, 35), (28, 20), dtype=torch.float16))
    wide = channels_last(torch.full((2, 64, 9, 35), 7.0, dtype=torch.float16, device=DEVICE))
    OPS.conv_act.out(*args, out=wide[:, 8:28])
    assert_matches(wide[:, 8:28], REFERENCES["conv_act"], args)
    assert (wide[:, :8] == 7).all() and (wide[:, 28:] == 7).all(), "neighbours were overwritten"


@pytest.mark.parametrize(
    "case", ["conv (3, 26)", "depthwise 26-26", "esa 3 (15, 37)", "shuffle 3 x2", "spab 26"]
)
def test_opcheck(case):
    op, build = CASES[case]
    skip_unless_taken(op)
    torch.library.opcheck(getattr(OPS, op).default, tuple(on_device(build(dtype=torch.float32))))


@NEEDS_GPU
@pytest.mark.slow
@pytest.mark.parametrize("layout", [contiguous, channels_last])
def test_more_than_two_to_the_31_elements(layout):
    if torch.cuda.mem_get_info()[0] < 24 * 2**30:
        pytest.skip("needs 24 GiB of free GPU memory")
    side = 8800
    x = layout(torch.zeros(1, 28, side, side, dtype=torch.float16, device=DEVICE))
    (corner,), *rest = on_device(conv((40, 40), dtype=torch.float16))
    corner, rest[-1] = corner[:1], None
    x[:, :, -40:, -40:] = corner
    ours = OPS.conv_act([x], *rest)[:, :, -40:, -40:]
    assert_matches(ours, REFERENCES["conv_act"], ([corner], *rest))


def test_changed_weights_are_packed_again():
    args = on_device(conv((9, 35)))
    OPS.conv_act(*args)
    args[1].mul_(2)
    ours = OPS.conv_act(*args)
    assert_matches(ours, REFERENCES["conv_act"], args, rounding(torch.float32))
