from . import challenge, ops
from .functional import load, rlfn, span
from .fusion import accelerate, explain, halo, restore
from .models import list_models
from .onnx_export import export_onnx
from .pictures.upscale import upscale
from .system import info

__version__: str
__all__ = [
    "accelerate",
    "challenge",
    "explain",
    "export_onnx",
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
