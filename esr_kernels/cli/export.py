"""``esr-kernels export``: a network as an ONNX file."""


def add(commands) -> None:
    """Add the sub-command to ``commands``."""
    command = commands.add_parser(
        "export", help="write a network as ONNX, for batches and pictures of any size"
    )
    option = command.add_argument
    option("model", metavar="MODEL", help="a name (see: esr-kernels models) or a checkpoint")
    option("output", metavar="OUT.onnx", help="the new file; checked with ONNX Runtime first")
    option("--weights", help="official, or a checkpoint to use with the named model")
    option("--overwrite", action="store_true", help="replace OUT.onnx if it exists")
    command.set_defaults(run=_run)


def _run(arguments) -> int:
    from .. import models
    from ..onnx_export import OPSET, export_onnx, require_packages

    require_packages()  # before weights are fetched
    model = models.load(arguments.model, weights=arguments.weights)
    path = export_onnx(model, arguments.output, overwrite=arguments.overwrite)
    print(f"{path}: [N, {model.in_channels}, H, W] in [0, 1], ONNX operator set {OPSET}")
    return 0
