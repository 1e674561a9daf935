"""The check of a network's input."""

from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function_unary


def check_picture(x: Tensor, channels: int, min_size: int) -> Tensor:
    """Return ``x`` itself if it is a batch ``[N, channels, H, W]`` with H, W >= ``min_size``.

    ``torch.fx`` records a call as one node and does not look inside (a Proxy is handled by the
    protocol that torch's own functions use), so tracing meets no branch on a size. The result is
    the input: a graph pass may keep the node or drop it where something else checks.

    Args:
        x: The batch, of any floating-point dtype, with N >= 1.
        channels: The number of channels that the network takes.
        min_size: The least height and width in pixels.

    Raises:
        TypeError: ``x`` is not a floating-point tensor.
        ValueError: The rank, channel count or size is wrong.
    """
    if has_torch_function_unary(x):
        return handle_torch_function(check_picture, (x,), x, channels, min_size)
    if not isinstance(x, Tensor):
        raise TypeError(f"expected a torch tensor [N, {channels}, H, W], got {type(x).__name__}")
    if not x.is_floating_point():
        raise TypeError(f"expected floating-point pictures in [0, 1], got {x.dtype}: use x / 255")
    shape = tuple(x.shape)
    if x.dim() != 4:
        raise ValueError(f"expected a batch [N, {channels}, H, W], got shape {shape}")
    if shape[1] != channels:
        raise ValueError(f"expected {channels} channels (N, {channels}, H, W), got shape {shape}")
    if shape[0] == 0 or shape[2] == 0 or shape[3] == 0:
        raise ValueError(f"expected at least one picture with pixels, got an empty shape {shape}")
    if shape[2] < min_size or shape[3] < min_size:
        raise ValueError(
            f"this network needs pictures of at least {min_size} x {min_size} pixels, got "
            f"{shape[2]} x {shape[3]}: pad the picture and crop the result"
        )
    return x
