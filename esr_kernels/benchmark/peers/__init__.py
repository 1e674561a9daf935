"""Other runtimes as implementations, each imported only when it takes part."""

from importlib.util import find_spec

from .ncnn import ncnn_
from .onnx import onnx_runtime
from .openvino import openvino_, openvino_default

PEERS = {"ONNX Runtime": onnx_runtime, "OpenVINO": openvino_, "ncnn": ncnn_}
#: As users get them who set nothing, in less than float32.
DEFAULTS = {"OpenVINO's default": openvino_default}
_MODULES = {"ONNX Runtime": "onnxruntime", "OpenVINO": "openvino", "ncnn": "ncnn"}


def installed() -> list[str]:
    """Return the names of the runtimes that can be imported here."""
    return [name for name, module in _MODULES.items() if find_spec(module)]
