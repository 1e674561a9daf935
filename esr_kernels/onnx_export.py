"""Networks as ONNX files, for runtimes that are not PyTorch."""

from __future__ import annotations

import copy
import importlib.util
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from . import fusion
from .models.network import Upscaler
from .output.files import write_whole

#: Version of ONNX's operator set: the first with resizing and padding as these networks need them,
#: and known to every runtime since 2023.
OPSET = 18
PACKAGES = ("onnx", "onnxscript", "onnxruntime")
#: Batch, height and width. Sizes agree in nothing that the exporter could mistake for a constant.
_TRACED, _CHECKED = (2, 48, 64), ((1, 53, 39), (3, 70, 81))
#: Multiples of torch's own float32 error, and share of the largest value. ONNX Runtime sums in
#: another order (5 times torch's error in RLFN); a size kept as a constant costs a thousand times.
_ERRORS, _SHARE = 16, 1e-5


def export_onnx(model: Upscaler, path: str | os.PathLike, *, overwrite: bool = False) -> Path:
    """Write a network as an ONNX file that takes batches of any size.

    The file maps ``input``, ``[N, C, H, W]``, to ``output``, with N, H and W left open, in float32
    and ONNX's operator set 18. An accelerated model is exported as what it was before; the model
    itself stays as it is. Before the file is put in place, ONNX Runtime's results are compared with
    PyTorch's for two other sizes.

    Args:
        model: a network of ``esr_kernels.load``, which takes names, checkpoints and state dicts.
            Others are refused: a module that writes to its own parameters, as some SPANs do, can
            crash the exporter.
        path: the new file, ``*.onnx``.
        overwrite: replace a file that exists.

    Returns:
        The path of the file.

    Raises:
        TypeError: ``model`` is no such network.
        ValueError: a package is missing, the path cannot be written, the network cannot be
            exported, or ONNX Runtime computes something else than PyTorch.
    """
    path = _target(Path(path), overwrite)
    require_packages()
    module = _original(model)
    content = _converted(module)
    _compare(content, module)
    write_whole(path, content)
    return path


def require_packages() -> None:
    """Raise ``ValueError`` with the command to run unless all of ``PACKAGES`` are installed."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(
            f"export needs {' and '.join(missing)}: pip install {' '.join(PACKAGES)}, or "
            "pip install 'esr_kernels[export]'"
        )


def _target(path: Path, overwrite: bool) -> Path:
    if path.suffix.lower() != ".onnx":
        raise ValueError(f"{path}: end the name of the new file in .onnx")
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(f"{path} is a folder or lies in none: name a file in an existing folder")
    if path.exists() and not overwrite:
        raise ValueError(
            f"{path} exists already: choose another name, or pass overwrite=True (--overwrite)"
        )
    return path


def _original(model: Upscaler) -> Upscaler:
    """A restored copy on the CPU, in float32, evaluation mode and inference form."""
    if not isinstance(model, Upscaler):
        raise TypeError(
            f"expected a network of esr_kernels.load, not {type(model).__name__}: give load its "
            "checkpoint or state dict"
        )
    twin = fusion.restore(copy.deepcopy(model)).to("cpu", torch.float32)
    return twin.inference_form().eval().requires_grad_(False)


def _picture(module: Upscaler, batch: int, height: int, width: int) -> Tensor:
    """Smooth ``[N, C, H, W]`` in [0, 1], no smaller than the network allows; always the same."""
    least = module.min_size
    size = max(height, least + height % 8), max(width, least + width % 8)
    draw = torch.Generator().manual_seed(0)
    field = torch.rand(batch, module.in_channels, 5, 5, generator=draw)
    return F.interpolate(field, size, mode="bicubic", align_corners=True).clamp(0, 1)


def _converted(module: Upscaler) -> bytes:
    with _quiet():
        try:
            program = torch.onnx.export(
                module,
                (_picture(module, *_TRACED),),
                dynamo=True,
                opset_version=OPSET,
                input_names=["input"],
                output_names=["output"],
                dynamic_shapes=({0: "N", 2: "H", 3: "W"},),
                verbose=False,
            )
        # The exporter runs the network's code, which may raise anything.
        except Exception as error:
            cause = " ".join(str(error.__cause__ or error).split())
            raise ValueError(
                f"{type(module).__name__} cannot be exported with open sizes: {cause[:300]}"
            ) from error
    assert program is not None  # as it is with dynamo=True
    return _without_traces(program.model_proto).SerializeToString()


def _without_traces(proto):
    """The same model without the exporter's notes, which quote source files by their full path."""
    graph = proto.graph
    functions = [part for function in proto.functions for part in (function, *function.node)]
    values = *graph.input, *graph.output, *graph.value_info, *graph.initializer
    for part in (graph, *graph.node, *values, *functions):
        del part.metadata_props[:]
    return proto


def _compare(content: bytes, module: Upscaler) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    exact_module = copy.deepcopy(module).double()
    for sizes in _CHECKED:
        x = _picture(module, *sizes)
        result = torch.from_numpy(session.run(None, {"input": x.numpy()})[0])
        with torch.no_grad():
            plain, exact = module(x), exact_module(x.double())
        _assert_near(result, plain, exact, f"{type(module).__name__} on {list(x.shape)}")


def _assert_near(result: Tensor, plain: Tensor, exact: Tensor, what: str) -> None:
    if result.shape != exact.shape:
        raise ValueError(
            f"{what}: ONNX Runtime gives {list(result.shape)}, torch {list(exact.shape)}"
        )
    error, own = ((y.double() - exact).abs().max().item() for y in (result, plain))
    limit = _ERRORS * own + _SHARE * exact.abs().max().item()
    if not error <= limit:  # NaN is no small error
        raise ValueError(
            f"{what}: ONNX Runtime is {error:.2g} from the exact result, torch {own:.2g}; "
            f"the limit is {limit:.2g}"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's warnings of its own age and the deprecations within it."""
    log = logging.getLogger("torch.export")
    level = log.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        log.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            log.setLevel(level)
