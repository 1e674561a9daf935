"""Reading of a network's hyperparameters from the shapes of its checkpoint.

A checkpoint may lack a key or hold one of wrong shape, and the error should then name that key. So
the size that most tensors agree on is used, and a missing one gets a default.
"""

import math
import re
from collections import Counter

from .network import Shapes


def size(shapes: Shapes, key: str, axis: int, default: int) -> int:
    """Return ``shapes[key][axis]``; ``default`` if there is no such key or axis, or it is 0."""
    shape = shapes.get(key, ())
    return shape[axis] or default if axis < len(shape) else default


def vote(shapes: Shapes, pattern: str, axis: int) -> int | None:
    """Return the commonest size along ``axis`` among keys that match all of ``pattern``, if any."""
    matching = [shape for key, shape in shapes.items() if re.fullmatch(pattern, key)]
    sizes = Counter(shape[axis] for shape in matching if axis < len(shape) and shape[axis] > 0)
    return sizes.most_common(1)[0][0] if sizes else None


def blocks(shapes: Shapes, pattern: str) -> int:
    """Return the highest block number, 0 if there is none.

    Args:
        shapes: The shapes of a checkpoint.
        pattern: A pattern of the start of a key; its group is the number.
    """
    found = (re.match(pattern, key) for key in shapes)
    return max((int(match.group(1)) for match in found if match), default=0)


def scale_and_channels(shapes: Shapes, key: str, in_channels: int) -> tuple[int, int]:
    """Read scale r and output channels c of a pixel-shuffle convolution with c * r * r outputs.

    c is the input's channels if the count allows, else 3, 1 or 4. If nothing fits, the result is
    (4, in_channels), which the comparison of shapes then reports.
    """
    outputs = size(shapes, key, 0, 0)
    for channels in dict.fromkeys((in_channels, 3, 1, 4)):
        scale = math.isqrt(outputs // channels) if channels > 0 else 0
        if scale > 0 and channels * scale * scale == outputs:
            return scale, channels
    return 4, in_channels
