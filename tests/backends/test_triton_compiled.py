"""The Triton kernels compile for GPUs that are not here, without spills and within their memory."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

pytest.importorskip("triton", reason="triton is not installed: pip install -e '.[test]'")

from triton_aot import compile_launch, usage

from esr_kernels.backends.triton import launch as launching
from esr_kernels.backends.triton.convolution import conv_launch
from esr_kernels.backends.triton.launch import Launch
from esr_kernels.backends.triton.ops.conv3x3_pixel_shuffle import pack_shuffle, shuffle_launch
from esr_kernels.backends.triton.ops.depthwise_act import depthwise_launch, pack_depthwise
from esr_kernels.backends.triton.ops.esa import esa_launches, pack_esa
from esr_kernels.backends.triton.ops.selective_scan import scan_launch
from esr_kernels.backends.triton.packing import pack_conv

#: Compute capability -> shared memory that a program may have, in bytes. The last two have no
#: configuration of their own.
SHARED_BYTES = {
    (8, 0): 163 * 1024,
    (9, 0): 227 * 1024,
    (10, 0): 227 * 1024,
    (8, 6): 99 * 1024,
    (12, 0): 99 * 1024,
}
MAIN = list(SHARED_BYTES)[:3]
HEIGHT, WIDTH = 339, 510


def picture(channels: int, dtype: torch.dtype) -> Tensor:
    """channels_last activations, without memory."""
    x = torch.empty(1, channels, HEIGHT, WIDTH, device="meta", dtype=dtype)
    return x.contiguous(memory_format=torch.channels_last)


def layer(co: int, ci: int, k: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    return (
        torch.empty(co, ci, k, k, device="meta", dtype=dtype),
        torch.empty(co, device="meta", dtype=dtype),
    )


def conv(channels: list[int], co: int, k: int, act: str, residual: bool = False):
    def launches(dtype: torch.dtype) -> list[Launch]:
        weights = pack_conv(*layer(co, sum(channels), k, dtype), channels)
        u = picture(co, dtype) if residual else None
        sources = [picture(c, dtype) for c in channels]
        return [conv_launch(picture(co, dtype), sources, weights, act=act, residual=u)]

    return launches


def depthwise(channels: int, act: str):
    def launches(dtype: torch.dtype) -> list[Launch]:
        x, weights = picture(channels, dtype), pack_depthwise(*layer(channels, 1, 3, dtype))
        return [depthwise_launch(torch.empty_like(x), x, weights, act=act, residual=x)]

    return launches


def esa(dtype: torch.dtype) -> list[Launch]:
    x, f = picture(46, dtype), 16
    layers = [(f, 46, 1), (f, f, 1), (f, f, 3), (f, f, 3), (46, f, 1)]
    weights = pack_esa(*(t for each in layers for t in layer(*each, dtype)))
    return esa_launches(torch.empty_like(x), x, weights)


def conv3x3_pixel_shuffle(dtype: torch.dtype) -> list[Launch]:
    x, skip = picture(46, dtype), picture(3, dtype)
    out = torch.empty(1, 3, 4 * HEIGHT, 4 * WIDTH, device="meta", dtype=dtype)
    return [shuffle_launch(out, x, pack_shuffle(*layer(48, 46, 3, dtype), 4), 4, skip)]


def selective_scan(dtype: torch.dtype) -> list[Launch]:
    """Those of DVMSR, whose B and K are slices of one tensor."""
    length = HEIGHT * WIDTH

    def tensor(*shape: int) -> Tensor:
        return torch.empty(shape, device="meta", dtype=dtype)

    _, B, K = tensor(1, length, 36).split((4, 16, 16), 2)
    c = tensor(1, 120, length).mT
    return [scan_launch(tensor(*c.shape), c, tensor(*c.shape), tensor(120, 16), B, K, tensor(120))]


#: What SPAN, RLFN, DVMSR and networks of separable convolutions are made of.
KERNELS = {
    "first": conv([3], 28, 3, "none"),
    "silu": conv([28], 28, 3, "silu"),
    "spab": conv([28], 28, 3, "span_gate", residual=True),
    "lrelu": conv([48], 46, 3, "lrelu", residual=True),
    "concat": conv([28] * 4, 28, 1, "none"),
    "gelu": conv([52], 104, 1, "gelu"),
    "depthwise": depthwise(52, "gelu"),
    "esa": esa,
    "conv3x3_pixel_shuffle": conv3x3_pixel_shuffle,
    "selective_scan": selective_scan,
}


#: How products are taken -> dtype.
KINDS = {
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "tf32": torch.float32,
    "ieee": torch.float32,
}
CASES = [
    *((name, kind, c) for name in KERNELS for kind in ("fp16", "tf32") for c in MAIN),
    *(
        (name, kind, c)
        for name in ("depthwise", "spab", "esa")
        for kind in ("bf16", "ieee")
        for c in MAIN
    ),
    *(("lrelu", kind, c) for kind in ("fp16", "tf32") for c in SHARED_BYTES if c not in MAIN),
]


def launches(name: str, kind: str, capability: tuple[int, int], monkeypatch) -> list[Launch]:
    """The launches of an op on a GPU of that compute capability."""
    known = capability if capability in MAIN else None
    monkeypatch.setattr(launching, "architecture", lambda device: known)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", kind == "tf32")
    return KERNELS[name](KINDS[kind])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind", "capability"), CASES, ids=str)
def test_compiles_without_spills(name, kind, capability, monkeypatch):
    for launch in launches(name, kind, capability, monkeypatch):
        needs = usage(compile_launch(launch, capability))
        assert needs.stack == 0, f"{launch.kernel} spills: {needs}"
        assert 0 < needs.registers <= 255
        assert needs.shared <= SHARED_BYTES[capability], f"{launch.kernel} does not fit: {needs}"


def test_a_spill_is_seen(monkeypatch):
    (launch,) = launches("silu", "fp16", (8, 0), monkeypatch)
    assert usage(compile_launch(launch, (8, 0), maxnreg=48)).stack > 0


@pytest.mark.parametrize("capability", MAIN, ids=str)
def test_products_are_taken_on_tensor_cores(capability, monkeypatch):
    instruction = {(8, 0): "mma.sync", (9, 0): "wgmma.mma_async", (10, 0): "tcgen05.mma"}
    (launch,) = launches("silu", "fp16", capability, monkeypatch)
    text = compile_launch(launch, capability).asm["ptx"]
    assert instruction[capability] in text
    assert "cp.async" in text, "loads are not in flight while products are taken"
