"""LSANet, the lightweight spaced attention network (team 44)."""

from ..backbones.alternating_attention import GeluRLFB, dense, detect, separable
from ..backbones.dense_feature_fusion import DenseFeatureFusion
from ..blocks import ESA, ESA_MIN_SIZE, conv1x1, mirrored_bsconv, same_padding
from ..network import Network, Shapes
from ..reparam import named


class LSANet(DenseFeatureFusion):
    """Lightweight Spaced Attention Network.

    ``F0 = fea_conv(x - mean)``, then the blocks, ``L = c2(gelu(c1(cat(F1, F2, ...)))) + F0`` with
    c1 1x1 and c2 blueprint-separable; the output is ``mean`` added to the pixel shuffle of a last
    3x3 convolution of L. A block begins with a blueprint-separable convolution; two more follow in
    the odd ones, two 3x3 convolutions, a 1x1 and ESA in the even ones.

    The challenge's network is ``LSANet()``: 138 492 parameters.

    Args:
        width: Channels of the backbone.
        esa_hidden: Channels inside ESA.
        training_form: Build the 3x3 convolutions as ``RepBlock``, the form they are trained in;
            ``slim()`` merges it.

    Source: NTIRE 2024 efficient SR report, team 44.
    """

    name = "lsanet"
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
            first = mirrored_bsconv(width, width)
            if number % 2:
                return GeluRLFB([first, separable(width), separable(width)])
            layers = [first, dense(width, training_form), dense(width, training_form)]
            return GeluRLFB(layers, c5=conv1x1(width, width), esa=ESA(width, esa_hidden))

        parts = [block(number) for number in range(1, blocks + 1)]
        super().__init__(width, parts, scale=scale)
        self.training_form = training_form
        same_padding(self.fea_conv)
        self.c2 = mirrored_bsconv(width, width)
        self.upsampler = named("upsampleOneStep", self.upsampler)


def _detect(shapes: Shapes) -> dict | None:
    return detect(shapes, r"B\d+\.c1_r\.[pd]w\.")


NETWORK = Network(
    name="lsanet",
    title="Lightweight Spaced Attention Network",
    paper="NTIRE 2024 efficient SR challenge report, team 44",
    build=LSANet,
    detect=_detect,
)
