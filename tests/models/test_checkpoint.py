"""Reading checkpoints: every format and wrapper gives the weights, all else a clear error."""

import os
import pickle
import zipfile

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from esr_kernels.models import RLFN, SPAN, load
from esr_kernels.models.catalogue import OFFICIAL
from esr_kernels.models.checkpoint import read_checkpoint, unwrap

torch.manual_seed(0)
STATE = {key: value.clone() for key, value in RLFN(8, mid=6, blocks=3).state_dict().items()}


class Code:
    """Runs a command when it is unpickled by a careless reader."""

    def __init__(self, command: str):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("name", ["a.pth", "a.pt", "a.pkl", "a.safetensors", "no_suffix"])
@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_formats_are_told_from_the_content(tmp_path, name, kind):
    path = tmp_path / name
    if kind == "safetensors":
        save_file(STATE, path)
    else:
        torch.save(STATE, path, _use_new_zipfile_serialization=kind == "zip")
    assert same(read_checkpoint(path), STATE)
    assert same(read_checkpoint(str(path)), STATE)


@pytest.mark.parametrize(
    "key",
    ["params_ema", "params", "state_dict", "model_state_dict", "params-ema", "model", "net", "odd"],
)
@pytest.mark.parametrize("prefix", ["", "module.", "netG.", "_orig_mod.", "module.netG."])
def test_wrappers_and_prefixes_are_taken_off(key, prefix):
    wrapped = {key: {prefix + name: value for name, value in STATE.items()}}
    assert same(unwrap(wrapped, "it"), STATE)


def test_averaged_weights_come_first_and_other_entries_do_not_matter():
    checkpoint = {"epoch": 7, "params": {"a": torch.zeros(1)}, "params_ema": STATE, "optimizer": {}}
    assert same(unwrap(checkpoint, "it"), STATE)
    assert same(unwrap({"state_dict": {"params": STATE, "iter": 3}}, "it"), STATE)


def test_the_entry_that_is_asked_for_comes_first_of_all():
    checkpoint = {"params_ema": {"a": torch.zeros(1)}, "params": STATE}
    assert same(unwrap(checkpoint, "it", "params"), STATE)
    assert same(unwrap(STATE, "it", "params"), STATE)


def test_a_common_prefix_is_stripped_only_when_all_keys_have_it():
    state = {"module.a": torch.zeros(1), "b": torch.zeros(1)}
    assert unwrap(state, "it").keys() == state.keys()


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no checkpoint file .*gone\.pth"):
        read_checkpoint(tmp_path / "gone.pth")
    with pytest.raises(ValueError, match="is a folder"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("content", "says"), [(b"", "is empty"), (b"not weights at all", "begins with b'not '")]
)
def test_a_file_that_is_no_checkpoint(tmp_path, content, says):
    path = tmp_path / "a.pth"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=says):
        read_checkpoint(path)


def test_an_archive_that_is_no_checkpoint(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("letter.txt", "dear reader")
    with pytest.raises(ValueError, match="not a torch checkpoint"):
        read_checkpoint(tmp_path / "a.pth")


@pytest.mark.parametrize("share", [0.002, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_truncated_files(tmp_path, kind, share):
    path = tmp_path / "a.pth"
    if kind == "safetensors":
        save_file(STATE, path)
    else:
        torch.save(STATE, path, _use_new_zipfile_serialization=kind == "zip")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"damaged|not a checkpoint") as raised:
        read_checkpoint(path)
    assert "CUDA" not in str(raised.value) and "allocate" not in str(raised.value)


@pytest.mark.parametrize("kind", ["zip", "legacy", "pickle"])
def test_pickled_code_is_refused_and_not_run(tmp_path, kind):
    trace = tmp_path / "it_ran"
    checkpoint = {"params": STATE, "extra": Code(f"touch {trace}")}
    path = tmp_path / "a.pth"
    if kind == "pickle":
        path.write_bytes(pickle.dumps(checkpoint))
    else:
        torch.save(checkpoint, path, _use_new_zipfile_serialization=kind == "zip")
    with pytest.raises(
        ValueError, match=r"was refused .*run code.* torch\.save\(model\.state_dict"
    ):
        read_checkpoint(path)
    assert not trace.exists()


def test_whole_modules_are_refused_by_name(tmp_path):
    torch.save(nn.Linear(2, 2), tmp_path / "a.pth")
    with pytest.raises(ValueError, match=r"torch\.nn\.modules\.linear\.Linear"):
        read_checkpoint(tmp_path / "a.pth")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_torchscript_is_refused(tmp_path):
    torch.jit.script(nn.Linear(2, 2)).save(tmp_path / "a.pt")
    with pytest.raises(ValueError, match="TorchScript"):
        read_checkpoint(tmp_path / "a.pt")


@pytest.mark.parametrize(
    ("checkpoint", "says"),
    [
        ({}, "an empty dictionary"),
        ({"params": {}}, "an empty dictionary"),
        (torch.zeros(3), "holds no weights"),
        ([STATE], "a list"),
        ({"a": 3, "b": torch.zeros(1)}, "'a' holds a int"),
        ({1: torch.zeros(1), 2: torch.zeros(1)}, "1 holds a"),
        ({"a": torch.zeros(3).to_sparse(), "b": torch.zeros(1)}, "torch.sparse_coo tensor"),
    ],
)
def test_what_is_no_state_dict(checkpoint, says):
    with pytest.raises(ValueError, match=says):
        unwrap(checkpoint, "it")


def test_missing_renamed_and_misshapen_keys_are_named():
    """Every single key in turn, so that no key is one that detection cannot do without."""
    for state in (STATE, SPAN(4).state_dict(), SPAN(4, training_form=True).state_dict()):
        for key in state:
            without = {name: value for name, value in state.items() if name != key}
            with pytest.raises(ValueError, match=rf"lacks: {key}$"):
                load(without)
            with pytest.raises(ValueError, match=rf"lacks: {key}; .*not belong there: odd\.{key}$"):
                load(without | {f"odd.{key}": state[key]})
            grown = torch.zeros(*(n + 1 for n in state[key].shape))
            with pytest.raises(ValueError, match=rf"{key} \(expected \(.*\), got \("):
                load(state | {key: grown})


def test_integer_weights_are_refused():
    with pytest.raises(ValueError, match=r"not floating point: conv_2\.bias \(torch\.int64\)"):
        load(STATE | {"conv_2.bias": STATE["conv_2.bias"].long()})


def test_another_networks_checkpoint_names_what_was_found_and_what_is_known():
    with pytest.raises(
        ValueError, match=r"no network known here \(span, rlfn, .*2 tensors, a\.w, b"
    ):
        load({"a.w": torch.zeros(3, 3), "b": torch.zeros(3)})
    with pytest.raises(ValueError, match=r"holds the network 'rlfn', but 'span' was asked for"):
        load("span", weights=STATE)


def test_light_rlfn_has_the_same_keys_and_is_told_from_rlfn_by_its_widths():
    assert load(RLFN(36, mid=48).state_dict()).name == "lightrlfn"
    assert load(RLFN(36, mid=46).state_dict()).name == "rlfn"


@pytest.mark.reference
def test_official_files_are_never_taken_for_another_network(reference_dir):
    networks = {entry.filename: entry.network for entry in OFFICIAL.values()}
    files = sorted((reference_dir / "reference" / "weights").iterdir())
    assert len(files) >= 35
    for path in files:
        if path.name in networks:
            assert load(path).name == networks[path.name]
        else:
            with pytest.raises(ValueError, match=r"no network known here|is nearest to"):
                load(path)
