"""Checks of the ops' arguments, with an error message for each that does not fit.

Run at every call, so each check is a comparison or two and text is only made when one fails. Texts
avoid device names: programs around us take some of them for "out of memory" and try again.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.fx import Proxy

# What stands for a tensor while torch.fx follows a network: the call of the op is recorded.
TENSORS = (Tensor, Proxy)
_DTYPES = frozenset({torch.float32, torch.float16, torch.bfloat16, torch.float64})


def short(dtype: torch.dtype) -> str:
    """``float32`` for ``torch.float32``."""
    return str(dtype).removeprefix("torch.")


def tensors(**named: object) -> None:
    """Raise TypeError unless every argument is a tensor."""
    for name, value in named.items():
        if not isinstance(value, TENSORS):
            raise TypeError(f"{name} must be a torch.Tensor, not {type(value).__name__}")


def optional_tensors(**named: object) -> None:
    """Raise TypeError unless every argument is a tensor or None."""
    for name, value in named.items():
        if value is not None and not isinstance(value, TENSORS):
            raise TypeError(f"{name} must be a torch.Tensor or None, not {type(value).__name__}")


def one_or_several(name: str, x: object) -> Sequence[Tensor]:
    """A tensor as a list, a list as it is. Raise TypeError unless ``x`` is one of them."""
    inputs = [x] if isinstance(x, TENSORS) else x
    if not isinstance(inputs, (list, tuple)):
        raise TypeError(f"{name} must be a torch.Tensor or a list of them, not {type(x).__name__}")
    for each in inputs:
        tensors(**{name: each})
    return inputs


def image(name: str, x: Tensor) -> None:
    """Raise unless ``x`` is ``[N, C, H, W]``, not empty, of a floating dtype."""
    if x.dtype not in _DTYPES:
        raise TypeError(
            f"{name} is {short(x.dtype)}; use float32, float16, bfloat16 or float64 "
            f"(for an 8-bit picture: {name}.float() / 255)"
        )
    _axes(name, x, "N, C, H, W")


def images(name: str, inputs: Sequence[Tensor]) -> int:
    """Raise unless these are images alike, of one N, H and W; return the sum of their channels."""
    if not inputs:
        raise ValueError("the list of inputs is empty; give one tensor or more")
    first = inputs[0]
    image(name, first)
    n, channels, h, w = first.shape
    for i, x in enumerate(inputs[1:], 1):
        own = f"{name}[{i}]"
        image(own, x)
        alike(first, name, **{own: x})
        shape(own, x, (n, x.shape[1], h, w), f"N, H and W of {name}[0]")
        channels += x.shape[1]
    return channels


def sequence(name: str, x: Tensor) -> None:
    """Raise unless ``x`` is ``[N, L, E]``, not empty, of a floating dtype."""
    if x.dtype not in _DTYPES:
        raise TypeError(f"{name} is {short(x.dtype)}; use float32, float16, bfloat16 or float64")
    _axes(name, x, "N, L, E")


def integers(**named: object) -> None:
    """Raise TypeError unless every argument is an int."""
    for name, value in named.items():
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{name} must be an int, not {type(value).__name__}")


def odd_kernel(name: str, weight: Tensor, dilation: int) -> None:
    """Raise unless ``weight`` is ``[Co, Ci, kh, kw]`` with odd ``kh`` and ``kw``, and the dilation
    1 or more: then some zero padding keeps the picture's size."""
    if weight.dim() != 4:
        raise ValueError(f"{name} has shape {list(weight.shape)}, expected [Co, Ci, kh, kw]")
    high, wide = weight.shape[2:]
    if high % 2 == 0 or wide % 2 == 0:
        raise ValueError(f"{name} has a {high}x{wide} kernel, expected odd numbers of taps")
    if dilation < 1:
        raise ValueError(f"dilation is {dilation}, expected 1 or more")


def same_padding(weight: Sequence[int], dilation: int) -> tuple[int, int]:
    """Zeros above and beside a picture that keep its size; ``weight`` is a shape."""
    return dilation * (weight[2] // 2), dilation * (weight[3] // 2)


def kernel_detail(weight: Sequence[int], dilation: int) -> str:
    """The kernel in words for ``explain``."""
    return f"{weight[2]}x{weight[3]}" + (f", dilation {dilation}" if dilation > 1 else "")


def _axes(name: str, x: Tensor, axes: str) -> None:
    missing = axes.count(",") + 1 - x.dim()
    if missing:
        way_out = f"; add the batch with {name}.unsqueeze(0)" if missing == 1 else ""
        raise ValueError(f"{name} has shape {list(x.shape)}, expected [{axes}]{way_out}")
    if x.numel() == 0:
        raise ValueError(f"{name} is empty: its shape is {list(x.shape)}")


def room(x: Tensor, least: int, reader: str) -> None:
    """``x`` has the pixels that ``reader``, a phrase, needs on each side."""
    h, w = x.shape[2:]
    if min(h, w) < least:
        raise ValueError(
            f"x is {w}x{h} pixels (width x height), but {reader} at least {least}x{least}; "
            "pad the picture"
        )


def alike(x: Tensor, name: str, **others: Tensor | None) -> None:
    """Raise unless all tensors are strided and share the dtype and device of ``x``.

    ``name`` is what the texts call ``x``.
    """
    dtype, device = x.dtype, x.device
    _strided(name, x)
    for other_name, other in others.items():
        if other is None:
            continue
        if other.dtype != dtype:
            raise TypeError(
                f"{other_name} is {short(other.dtype)} but {name} is {short(dtype)}; "
                f"convert one of them with .to(dtype)"
            )
        if other.device != device:
            raise ValueError(
                f"{other_name} and {name} are on different devices; "
                f"move one of them with .to(other.device)"
            )
        _strided(other_name, other)


def _strided(name: str, x: Tensor) -> None:
    if x.layout is not torch.strided:
        raise TypeError(f"{name} has the layout {x.layout}; convert it with .to_dense()")


def shape(name: str, x: Tensor, expected: tuple[int, ...], why: str) -> None:
    """Raise unless ``x`` has exactly this shape; nothing is broadcast."""
    if x.shape != expected:
        raise ValueError(f"{name} has shape {list(x.shape)}, expected {list(expected)} ({why})")


def conv(
    weight_name: str,
    weight: Tensor,
    bias_name: str,
    bias: Tensor | None,
    channels: int,
    sizes: tuple[int, ...],
    makes: int | None = None,
) -> None:
    """Raise unless ``weight`` is ``[Co, channels, k, k]``, ``k`` in ``sizes``, ``bias`` ``[Co]``.

    ``makes`` is the ``Co`` expected, where only one fits.
    """
    if weight.dim() != 4:
        raise ValueError(f"{weight_name} has shape {list(weight.shape)}, expected [Co, Ci, k, k]")
    out, into, high, wide = weight.shape
    if high != wide or high not in sizes:
        allowed = " or ".join(f"{k}x{k}" for k in sizes)
        raise ValueError(f"{weight_name} has a {high}x{wide} kernel, expected {allowed}")
    if into != channels:
        raise ValueError(
            f"{weight_name} has shape {list(weight.shape)}, so it takes {into} channels, "
            f"but is given {channels}; grouped convolutions are not supported"
        )
    if makes is not None and out != makes:
        raise ValueError(
            f"{weight_name} has shape {list(weight.shape)}, so it makes {out} channels, "
            f"but {makes} are expected"
        )
    if out == 0:
        raise ValueError(f"{weight_name} is empty: its shape is {list(weight.shape)}")
    if bias is not None and bias.shape != (out,):
        raise ValueError(f"{bias_name} has shape {list(bias.shape)}, expected [{out}]")
