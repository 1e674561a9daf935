"""Networks as ONNX files: right at every size, refused where they are not, whole or not at all."""

import importlib.util

import pytest
import torch
from images import image
from torch import nn

import esr_kernels
from esr_kernels import models, onnx_export
from esr_kernels.cli import main
from esr_kernels.models.network import Upscaler

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in onnx_export.PACKAGES),
    reason="pip install 'esr_kernels[export]'",
)


def network(name: str, **sizes) -> nn.Module:
    torch.manual_seed(0)
    return models.find(name).build(**sizes).eval().requires_grad_(False)


def run(path, x: torch.Tensor) -> torch.Tensor:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(["output"], {"input": x.numpy()})[0])


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("span", {"width": 12}),
        ("rlfn", {"width": 10, "mid": 12, "blocks": 2}),
        ("quicksrnet", {}),
        ("rrdbnet", {"width": 8, "growth": 4, "blocks": 1}),
    ],
)
def test_same_pictures_at_any_size(name, sizes, tmp_path):
    fast = esr_kernels.accelerate(network(name, **sizes))
    oracle = network(name, **sizes).double()
    path = esr_kernels.export_onnx(fast, tmp_path / "network.onnx")
    assert path == tmp_path / "network.onnx" and list(tmp_path.iterdir()) == [path]
    for shape in (1, 3, 17, 40), (3, 3, 66, 31):
        x = image(*shape)
        exact = oracle(x.double())
        limit = 2e-5 * exact.abs().max().item()
        torch.testing.assert_close(run(path, x).double(), exact, rtol=0, atol=limit)


def test_what_the_file_says_of_itself(tmp_path):
    import onnx

    path = esr_kernels.export_onnx(network("span", width=12), tmp_path / "span.onnx")
    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    assert [entry.version for entry in proto.opset_import if not entry.domain] == [18]
    dims = [
        [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*proto.graph.input, *proto.graph.output)
    ]
    assert dims == [["N", 3, "H", "W"], ["N", 3, "4*H", "4*W"]]
    assert b".py" not in path.read_bytes()  # the exporter notes source files by their full path


def test_the_model_stays_as_it_is(tmp_path):
    module = esr_kernels.accelerate(network("span", width=12).half())
    keys = {key: value.clone() for key, value in module.state_dict().items()}
    esr_kernels.export_onnx(module, tmp_path / "span.onnx")
    assert "forward" in vars(module)
    for key, value in module.state_dict().items():
        assert value.dtype == torch.float16 and torch.equal(value, keys[key])


def test_a_training_form_is_merged(tmp_path):
    module = network("span", width=12, training_form=True)
    path = esr_kernels.export_onnx(module, tmp_path / "span.onnx")
    x = image(2, 3, 20, 33)
    torch.testing.assert_close(run(path, x), module(x), rtol=0, atol=2e-5)
    assert module.training_form


class OnValues(Upscaler):
    def forward(self, x):
        return x if x.mean() > 0 else -x


class OnSizes(Upscaler):
    def forward(self, x):
        return x if x.shape[2] > 50 else -x


class NotFinite(Upscaler):
    def forward(self, x):
        return torch.log(x - 2)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (OnValues, "OnValues cannot be exported with open sizes"),
        (OnSizes, "OnSizes on .*: ONNX Runtime is 2 from"),  # the checked sizes take both ways
        (NotFinite, "NotFinite on .*: ONNX Runtime is nan"),
    ],
)
def test_what_would_be_wrong_is_refused(module, message, tmp_path):
    module = module(scale=2, in_channels=3, out_channels=3)
    (tmp_path / "old.onnx").write_bytes(b"old")
    with pytest.raises(ValueError, match=message):
        esr_kernels.export_onnx(module, tmp_path / "old.onnx", overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["old.onnx"]
    assert (tmp_path / "old.onnx").read_bytes() == b"old"


def test_a_difference_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(onnx_export, "_ERRORS", 0)
    monkeypatch.setattr(onnx_export, "_SHARE", 0)
    with pytest.raises(ValueError, match=r"SPAN on \[1, 3, 53, 39\].*the limit is 0"):
        esr_kernels.export_onnx(network("span", width=12), tmp_path / "span.onnx")
    assert list(tmp_path.iterdir()) == []


def test_bad_arguments(tmp_path):
    module = network("span", width=12)
    with pytest.raises(TypeError, match=r"expected a network of .*load, not str"):
        esr_kernels.export_onnx("span", tmp_path / "span.onnx")
    with pytest.raises(TypeError, match="not Conv2d: give load its checkpoint"):
        esr_kernels.export_onnx(nn.Conv2d(3, 3, 3), tmp_path / "conv.onnx")
    with pytest.raises(ValueError, match=r"end the name of the new file in \.onnx"):
        esr_kernels.export_onnx(module, tmp_path / "span.pth")
    with pytest.raises(ValueError, match="in an existing folder"):
        esr_kernels.export_onnx(module, tmp_path / "absent" / "span.onnx")
    (tmp_path / "span.onnx").touch()
    with pytest.raises(ValueError, match="exists already"):
        esr_kernels.export_onnx(module, tmp_path / "span.onnx")


def test_missing_package(monkeypatch, tmp_path, capsys):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "onnxscript" else real(name)
    )
    with pytest.raises(ValueError, match="export needs onnxscript: pip install onnx onnxscript"):
        esr_kernels.export_onnx(network("span", width=12), tmp_path / "span.onnx")
    assert main.main(["export", "span", str(tmp_path / "span.onnx")]) == 2
    assert "pip install onnx onnxscript onnxruntime" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_command(tmp_path, capsys):
    path = tmp_path / "span.onnx"
    assert main.main(["export", "span", str(path)]) == 0
    said = capsys.readouterr()
    assert said.out == f"{path}: [N, 3, H, W] in [0, 1], ONNX operator set 18\n"
    assert said.err == ""
    x = image(1, 3, 24, 31)
    torch.testing.assert_close(run(path, x), esr_kernels.span(x), rtol=0, atol=2e-5)
    assert main.main(["export", "span", str(path)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main.main(["export", "span", str(path), "--overwrite"]) == 0
    assert main.main(["export", "absent.pth", str(tmp_path / "new.onnx")]) == 2
    assert "neither a checkpoint" in capsys.readouterr().err
