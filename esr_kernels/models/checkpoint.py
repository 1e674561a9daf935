"""Safe reading of a checkpoint file, down to a flat ``{key: tensor}``."""

import os
import pickle
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

# Training programs wrap the weights. The averaged ones come first: they are the ones to use.
_WRAPPERS = (
    "params_ema",
    "params",
    "state_dict",
    "model_state_dict",
    "params-ema",
    "model",
    "net",
)
# Left by DataParallel, by GAN trainers and by torch.compile.
_PREFIXES = ("module.", "netG.", "net_g.", "_orig_mod.")

_HOW_TO_SAVE = "save the weights alone: torch.save(model.state_dict(), path), or as .safetensors"


def read_checkpoint(path: str | os.PathLike, wrapper: str = "") -> dict[str, Tensor]:
    """Read the weights in a ``.pth``, ``.pt``, ``.pkl`` or ``.safetensors`` file, on the CPU.

    The format is recognised by the content, not by the name. Pickled files are read with
    ``weights_only=True``: no code in them is ever run.

    Args:
        path: The file.
        wrapper: As in ``unwrap``.

    Raises:
        FileNotFoundError: The file is missing.
        ValueError: The file is a folder, is not a checkpoint, is damaged, or holds pickled code.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder, not a checkpoint file: name the file inside it")
    if not path.exists():
        raise FileNotFoundError(f"there is no checkpoint file {path}: check the path")
    with path.open("rb") as file:
        head = file.read(16)
    if head[8:9] == b"{":
        return unwrap(_read_safetensors(path), str(path))
    if head[:2] == b"PK" or head[:1] == b"\x80":
        return unwrap(_read_pickled(path), str(path), wrapper)
    what = "is empty" if not head else f"begins with {head[:4]!r}"
    raise ValueError(f"{path} is not a checkpoint: it {what}; expected .pth or .safetensors")


def unwrap(checkpoint: object, where: str, wrapper: str = "") -> dict[str, Tensor]:
    """Find the flat state dict inside a checkpoint, and strip common prefixes of its keys.

    Args:
        checkpoint: The content of a file of a training program.
        where: The name of the checkpoint in errors.
        wrapper: The entry to take if there is one of that name; otherwise averaged weights come
            first.

    Raises:
        ValueError: It holds no tensors, or other things between them.
    """
    while isinstance(checkpoint, Mapping):
        known = (key for key in (wrapper, *_WRAPPERS) if _is_mapping(checkpoint, key))
        inner = next((checkpoint[key] for key in known), None)
        if inner is None and len(checkpoint) == 1:
            (only,) = checkpoint.values()
            inner = only if isinstance(only, Mapping) else None
        if inner is None:
            break
        checkpoint = inner
    if not isinstance(checkpoint, Mapping) or not checkpoint:
        raise ValueError(f"{where} holds no weights, but {_describe(checkpoint)}: {_HOW_TO_SAVE}")
    for key, value in checkpoint.items():
        if (
            not isinstance(key, str)
            or not isinstance(value, Tensor)
            or value.layout != torch.strided
        ):
            raise ValueError(
                f"{where} is not a plain state dict: {key!r} holds {_describe(value)} instead of a "
                f"dense tensor; {_HOW_TO_SAVE}"
            )
    return _strip_prefixes(dict(checkpoint))


def _is_mapping(checkpoint: Mapping, key: str) -> bool:
    return isinstance(checkpoint.get(key), Mapping)


def _strip_prefixes(state: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in _PREFIXES:
        if all(key.startswith(prefix) for key in state):
            return _strip_prefixes({key[len(prefix) :]: value for key, value in state.items()})
    return state


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path, device="cpu")
    except SafetensorError as error:
        raise ValueError(f"{path} is a damaged .safetensors file: {error}") from error


def _read_pickled(path: Path) -> object:
    with path.open("rb") as file:
        # torch.save pickles with protocol 2. Newer protocols come from other programs, and
        # weights_only does not support them.
        if re.match(rb"\x80[\x04\x05]", file.read(2)):
            raise _refused(path, "a Python pickle, not one of torch.save")
        file.seek(0)
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except MemoryError:
            raise
        # A damaged pickle may raise any exception.
        except Exception as error:
            code = re.search(r"GLOBAL ([\w.]+)", str(error))
            if isinstance(error, pickle.UnpicklingError) and code:
                raise _refused(path, f"it holds pickled code, {code.group(1)}") from error
            if "TorchScript" in str(error):
                raise _refused(path, "it is a TorchScript program") from error
            raise _damaged(path) from error


def _refused(path: Path, why: str) -> ValueError:
    return ValueError(
        f"{path} was refused ({why}): reading it could run code that came with it. If you trust "
        f"it, load it where it was made and {_HOW_TO_SAVE}"
    )


def _damaged(path: Path) -> ValueError:
    size = path.stat().st_size
    return ValueError(
        f"{path} is damaged, cut off, or not a torch checkpoint ({size} bytes): download it again"
    )


def _describe(value: object) -> str:
    if isinstance(value, Tensor):
        return f"a {value.layout} tensor"
    if isinstance(value, Mapping) and not value:
        return "an empty dictionary"
    return f"a {type(value).__name__}"
