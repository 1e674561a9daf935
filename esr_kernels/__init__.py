"""Fast kernels for efficient super-resolution networks, and everything needed to use them.

    sr = esr_kernels.span(x)                     # [N, 3, H, W] in [0, 1] -> [N, 3, 4H, 4W]
    model = esr_kernels.load("4x-model.pth")     # any supported checkpoint, accelerated
    esr_kernels.upscale("in.png", "out.png")     # whole pictures and folders
    model = esr_kernels.accelerate(model)        # your own module: same object, faster

Names are imported on first use (``__init__.pyi`` lists them), so ``import esr_kernels`` itself
costs nothing, needs no GPU and cannot fail because a part is missing.
"""

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
