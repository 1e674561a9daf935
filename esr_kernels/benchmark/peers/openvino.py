"""OpenVINO, from the same ONNX file as ONNX Runtime."""

from __future__ import annotations

from ..contest import Implementation, as_tensor
from ..problem import Problem
from .onnx import onnx_bytes


def openvino_(problem: Problem, threads: int) -> Implementation:
    """OpenVINO's CPU plugin for one picture at a time, in float32, without copies of inputs."""
    return _compiled(problem, threads, {"INFERENCE_PRECISION_HINT": "f32"})


def openvino_default(problem: Problem, threads: int) -> Implementation:
    """The same as its users get it: in bfloat16 where the processor has that."""
    return _compiled(problem, threads, {})


def _compiled(problem: Problem, threads: int, options: dict[str, str]) -> Implementation:
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(
        core.read_model(onnx_bytes(problem)),
        "CPU",
        {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, **options},
    )
    request = compiled.create_infer_request()
    feed = [x.numpy() for x in problem.inputs]

    def call() -> object:
        return request.infer(feed, share_inputs=True, share_outputs=True)

    return Implementation(call, lambda result: as_tensor(result[0]))
