"""Fast kernels for efficient super-resolution networks, and everything needed to use them.

    sr = esr_kernels.span(x)                     # [N, 3, H, W] in [0, 1] -> [N, 3, 4H, 4W]
    model = esr_kernels.load("4x-model.pth")     # any supported checkpoint, accelerated
    esr_kernels.upscale("in.png", "out.png")     # whole pictures and folders
    model = esr_kernels.accelerate(model)        # your own module: same object, faster

Every name is imported when it is first used, so ``import esr_kernels`` itself costs nothing, needs
no GPU and cannot fail because a part is missing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import challenge, ops
    from .api import load, rlfn, span
    from .fusion import accelerate, explain, halo, restore
    from .machine import info
    from .models import list_models
    from .upscaling import upscale

__version__ = "0.1.0"

# Public name -> module that defines it. The modules are named apart from the functions, because
# importing a submodule would otherwise put the module where the function is expected.
_HOME = {
    "span": "api",
    "rlfn": "api",
    "load": "api",
    "upscale": "upscaling",
    "accelerate": "fusion",
    "explain": "fusion",
    "restore": "fusion",
    "halo": "fusion",
    "info": "machine",
    "list_models": "models",
    "ops": "ops",
    "challenge": "challenge",
}

__all__ = [
    "__version__",
    "accelerate",
    "challenge",
    "explain",
    "halo",
    "info",
    "list_models",
    "load",
    "ops",
    "restore",
    "rlfn",
    "span",
    "upscale",
]


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'esr_kernels' has no attribute {name!r}")
    module = import_module(f".{_HOME[name]}", __name__)
    value = module if name == _HOME[name] else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
