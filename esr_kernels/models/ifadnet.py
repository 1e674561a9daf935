"""IFADNet, intermittent feature aggregation with distillation (team 33)."""

from .blocks import ESA
from .network import Network, Shapes
from .spaced import SpacedBlock, SpacedNetwork, dense, detect, separable


class IFADNet(SpacedNetwork):
    """Intermittent Feature Aggregation network with Distillation.

    A ``SpacedNetwork`` whose odd blocks have three blueprint-separable convolutions and whose even
    ones three 3x3 convolutions and ESA.

    ``width``: channels of the trunk; ``esa_hidden``: channels of the attention's small map.
    ``training_form``: the 3x3 convolutions as the ``RepBlock`` they are trained as; ``slim()``
    merges it. The challenge's network is ``IFADNet()``: 162 972 parameters.

    Source: NTIRE 2024 efficient SR report, team 33.
    """

    name = "ifadnet"

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
        super().__init__(parts, width, scale, training_form)


def _detect(shapes: Shapes) -> dict | None:
    return detect(shapes, r"B\d+\.c1_r\.rbr_")


NETWORK = Network(
    name="ifadnet",
    title="Intermittent Feature Aggregation with Distillation",
    paper="NTIRE 2024 efficient SR challenge report, team 33",
    build=IFADNet,
    detect=_detect,
)
