"""IFADNet, intermittent feature aggregation with distillation (team 33)."""

from ..blocks import ESA, ESA_MIN_SIZE, same_padding
from ..network import Network, Shapes
from ..reparam import named
from .alternating_attention import SpacedBlock, dense, detect, separable
from .dense_feature_fusion import ConcatTrunk


class IFADNet(ConcatTrunk):
    """Intermittent Feature Aggregation network with Distillation.

    ``F0 = fea_conv(x - mean)``, then the blocks, ``L = gelu(c1(cat(F1, F2, ...))) + F0`` with c1
    1x1; the output is ``mean`` added to the pixel shuffle of a last 3x3 convolution of L. The odd
    blocks have three blueprint-separable convolutions, the even ones three 3x3 and ESA.

    ``width``: channels of the trunk; ``esa_hidden``: channels of the attention's small map.
    ``training_form``: the 3x3 convolutions as the ``RepBlock`` they are trained as; ``slim()``
    merges it. The challenge's network is ``IFADNet()``: 162 972 parameters.

    Source: NTIRE 2024 efficient SR report, team 33.
    """

    name = "ifadnet"
    min_size = ESA_MIN_SIZE

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
            if number % 2:
                return SpacedBlock([separable(width) for _ in range(3)])
            layers = [dense(width, training_form) for _ in range(3)]
            return SpacedBlock(layers, esa=ESA(width, esa_hidden))

        parts = [block(number) for number in range(1, blocks + 1)]
        super().__init__(width, parts, scale=scale)
        self.training_form = training_form
        same_padding(self.fea_conv)
        self.upsampler = named("upsampleOneStep", self.upsampler)


def _detect(shapes: Shapes) -> dict | None:
    return detect(shapes, r"B\d+\.c1_r\.rbr_")


NETWORK = Network(
    name="ifadnet",
    title="Intermittent Feature Aggregation with Distillation",
    paper="NTIRE 2024 efficient SR challenge report, team 33",
    build=IFADNet,
    detect=_detect,
)
