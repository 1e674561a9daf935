"""LSANet, the lightweight spaced attention network (team 44)."""

from torch import Tensor

from .blocks import ESA, conv1x1, mirrored_bsconv
from .network import Network, Shapes
from .spaced import SpacedBlock, SpacedNetwork, dense, detect, separable


class LSANet(SpacedNetwork):
    """Lightweight Spaced Attention Network.

    A ``SpacedNetwork`` whose blocks begin with a blueprint-separable convolution. Two more follow
    in the odd blocks, two 3x3 convolutions, a 1x1 and ESA in the even ones. One more ends ``fuse``.

    ``width``: channels of the trunk; ``esa_hidden``: channels of the attention's small map.
    ``training_form``: the 3x3 convolutions as the ``RepBlock`` they are trained as; ``slim()``
    merges it. The challenge's network is ``LSANet()``: 138 492 parameters.

    Source: NTIRE 2024 efficient SR report, team 44.
    """

    name = "lsanet"

    def __init__(
        self,
        width: int = 36,
        *,
        blocks: int = 6,
        esa_hidden: int = 16,
        scale: int = 4,
        training_form: bool = False,
    ):
        def block(number: int) -> SpacedBlock:
            first = mirrored_bsconv(width, width)
            if number % 2:
                return SpacedBlock([first, separable(width), separable(width)])
            layers = [first, dense(width, training_form), dense(width, training_form)]
            return SpacedBlock(layers, c5=conv1x1(width, width), esa=ESA(width, esa_hidden))

        parts = [block(number) for number in range(1, blocks + 1)]
        super().__init__(parts, width, scale, training_form)
        self.c2 = mirrored_bsconv(width, width)

    def fuse(self, joined: Tensor) -> Tensor:
        """``c2(gelu(c1(joined)))``: ``[N, blocks * width, H, W]`` to ``[N, width, H, W]``."""
        return self.c2(super().fuse(joined))


def _detect(shapes: Shapes) -> dict | None:
    return detect(shapes, r"B\d+\.c1_r\.[pd]w\.")


NETWORK = Network(
    name="lsanet",
    title="Lightweight Spaced Attention Network",
    paper="NTIRE 2024 efficient SR challenge report, team 44",
    build=LSANet,
    detect=_detect,
)
