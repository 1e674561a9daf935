"""IFADNet, intermittent feature aggregation with distillation (team 33)."""

from ..backbones.alternating_attention import GeluRLFB, dense, detect, separable
from ..backbones.dense_feature_fusion import DenseFeatureFusion
from ..blocks import ESA, ESA_MIN_SIZE, same_padding
from ..network import Network, Shapes
from ..reparam import named


class IFADNet(DenseFeatureFusion):
    """Intermittent Feature Aggregation network with Distillation.

    ``F0 = fea_conv(x - mean)``, then the blocks, ``L = gelu(c1(cat(F1, F2, ...))) + F0`` with c1
    1x1; the output is ``mean`` added to the pixel shuffle of a last 3x3 convolution of L. The odd
    blocks have three blueprint-separable convolutions, the even ones three 3x3 and ESA.

    The challenge's network is ``IFADNet()``: 162 972 parameters.

    Args:
        width: Channels of the backbone.
        esa_hidden: Channels inside ESA.
        training_form: Build the 3x3 convolutions as ``RepBlock``, the form they are trained in;
            ``slim()`` merges it.

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
        def block(number: int) -> GeluRLFB:
            if number % 2:
                return GeluRLFB([separable(width) for _ in range(3)])
            layers = [dense(width, training_form) for _ in range(3)]
            return GeluRLFB(layers, esa=ESA(width, esa_hidden))

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
