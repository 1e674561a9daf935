"""Every architecture that spandrel knows, small: fewer blocks than the published ones, as wide.

Weights are drawn. What a constructor leaves constant (zeros in front of a residual branch, ones in
a norm) is drawn too: a branch that is multiplied by zero would be compared with nothing.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from tests.images import image


@dataclass(frozen=True)
class Host:
    """One network, and the pictures that it takes.

    Attributes:
        architecture: Its identifier in spandrel's registry, and the class unless it has the same
            name, as ``PLKSR.RealPLKSR``.
        options: What its class is built with.
        multiple: Heights and widths have to be multiples of this.
        least: The smallest height and width.
        only: The one height and width that it takes, if there is but one.
        square: Whether height and width have to be equal.
        channels: Of the tensors that go in, which have one size.
        package: Where it comes from.
        float32_only: Whether it has no result in double precision to compare with: it draws noise,
            which has other values there, makes tensors of float32, or takes the nearest of some
            vectors, which may be another one there.
    """

    architecture: str
    options: dict[str, Any] = field(default_factory=dict)
    multiple: int = 1
    least: int = 16
    only: int | None = None
    square: bool = False
    channels: tuple[int, ...] = (3,)
    package: str = "spandrel"
    float32_only: bool = False

    @property
    def identifier(self) -> str:
        return self.architecture.partition(".")[0]

    def build(self, dtype: torch.dtype = torch.float32) -> nn.Module:
        """The network, with the same weights at every call; ``dtype``: of what is made for it."""
        home, _, name = self.architecture.partition(".")
        module = importlib.import_module(f"{self.package}.architectures.{home}")
        with default_dtype(dtype), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = getattr(module, name or home)(**self.options)
            _draw_constants(network)
        return network.eval().requires_grad_(False)

    def in_float64(self) -> nn.Module:
        """The same network in double precision, to be called under that ``default_dtype``.

        Constants that are no buffers, which ``double()`` leaves alone, are double too.
        """
        twin = self.build(torch.float64).double()
        twin.load_state_dict(self.build().state_dict())
        return twin

    def sizes(self) -> list[tuple[int, int]]:
        """Small sizes: one that no window divides, if it may be, and a square that many do."""
        square = self.nearest(32)
        if self.only or self.square:
            return [(square, square)]
        least = max(self.least, 16)
        height, width = self.nearest(least + 16), self.nearest(least + 5)
        return [(height if height != width else 2 * width, width), (square, square)]

    def nearest(self, size_px: int) -> int:
        """The smallest legal height and width that is not below ``size_px``, if there is one."""
        return self.only or -(-max(size_px, self.least) // self.multiple) * self.multiple

    def inputs(self, height: int, width: int, seed: int = 0) -> tuple[Tensor, ...]:
        draws = enumerate(self.channels)
        return tuple(image(1, c, height, width, seed=seed + i) for i, c in draws)


@torch.no_grad()
def _draw_constants(network: nn.Module) -> None:
    for p in network.parameters():
        if p.is_floating_point() and p.numel() > 0 and bool((p == p.flatten()[0]).all()):
            p.add_(0.1 * torch.randn_like(p))
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_var is not None:
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)


def _host(architecture: str, **options: Any) -> Host:
    names = ("multiple", "least", "only", "square", "channels", "package", "float32_only")
    rules = {name: options.pop(name) for name in names if name in options}
    return Host(architecture, options, **rules)


def _extra(architecture: str, **options: Any) -> Host:
    return _host(architecture, package="spandrel_extra_arches", **options)


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Tensors that code makes itself are of this dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def available(host: Host) -> bool:
    """Whether the package that has it is installed."""
    return importlib.util.find_spec(host.package) is not None


def _windows(width: int, depths: Sequence[int], heads: int, **more: Any) -> dict[str, Any]:
    """What the constructors of SwinIR's family have in common."""
    return {"embed_dim": width, "depths": depths, "num_heads": [heads] * len(depths)} | more


_PS = {"upsampler": "pixelshuffle"}
_DIRECT = {"upsampler": "pixelshuffledirect"}

#: Convolutions, with attention over channels at most.
CONVOLUTIONS = {
    "Compact-64x16": _host("Compact", num_feat=64, num_conv=16, upscale=4),
    "Compact-24x8": _host("Compact", num_feat=24, num_conv=8, upscale=2),
    "ESRGAN": _host("ESRGAN", num_blocks=1, scale=4),
    "ESRGAN-unshuffle": _host("ESRGAN", in_nc=12, num_blocks=2, scale=2, shuffle_factor=2),
    "SPAN-48": _host("SPAN", num_in_ch=3, num_out_ch=3, feature_channels=48),
    "RCAN": _host("RCAN", n_resgroups=2, n_resblocks=3),
    "SwiftSRGAN": _host("SwiftSRGAN", num_blocks=6),
    "DnCNN": _host("DnCNN", in_nc=3, out_nc=3, nb=9),
    "FDnCNN": _host("DnCNN", in_nc=4, out_nc=3, nb=9, act_mode="R", mode="FDnCNN", channels=(4,)),
    "DRUNet": _host("DRUNet", in_nc=4, out_nc=3, nb=1, multiple=8, channels=(4,)),
    "FBCNN": _host("FBCNN", nb=1, multiple=8),
    "RealCUGAN-2x": _host("RealCUGAN.UpCunet2x", least=32),
    "RealCUGAN-2x-fast": _host("RealCUGAN.UpCunet2x_fast", least=40, multiple=4),
    "RealCUGAN-3x": _host("RealCUGAN.UpCunet3x", least=32),
    "RealCUGAN-4x-pro": _host("RealCUGAN.UpCunet4x", pro=True, least=32),
    "MMRealSR": _host("MMRealSR", num_in_ch=3, num_out_ch=3, num_block=1),
    "LaMa": _host("LaMa", in_nc=4, multiple=8, channels=(3, 1)),
    "NAFNet": _host("NAFNet", width=48, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1]),
    "KBNet-s": _host(
        "KBNet.KBNet_s", width=64, middle_blk_num=1, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1]
    ),
    "MixDehazeNet": _host("MixDehazeNet", embed_dims=[48, 96, 96, 96, 48], least=40),
    "MoSR": _host("MoSR", n_block=6),
    "MoESR": _host("MoESR", n_blocks=2, n_block=2),
    "PLKSR": _host("PLKSR", n_blocks=4),
    "PLKSR-sparse": _host("PLKSR", n_blocks=4, ccm_type="DCCM", lk_type="RectSparsePLK"),
    "RealPLKSR": _host("PLKSR.RealPLKSR", n_blocks=4),
    "RealPLKSR-dysample": _host("PLKSR.RealPLKSR", n_blocks=4, dysample=True, layer_norm=True),
    "SAFMN": _host("SAFMN", dim=48, n_blocks=4, multiple=8),
    "SAFMNBCIE": _host("SAFMNBCIE", dim=48, n_blocks=2, num_layers=2, multiple=16),
    "SeemoRe": _host("SeemoRe", num_experts=3, num_layers=2, embedding_dim=48),
    "GFPGAN": _host(
        "GFPGAN", out_size=128, num_style_feat=128, narrow=0.5, only=128, float32_only=True
    ),
    "AuraSR": _host(
        "AuraSR",
        dim=32,
        image_size=128,
        input_image_size=32,
        style_network={"dim_in": 32, "dim_out": 128, "depth": 2},
        up_dim_mults=(1, 1, 2, 2, 2),
        down_dim_mults=(2, 2, 2),
        attn_depths=(1, 1, 1, 1, 1),
        mid_attn_depth=1,
        multiple=8,
        float32_only=True,
    ),
}

#: Attention between pixels.
ATTENTION = {
    "SwinIR": _host("SwinIR", **_windows(60, [2, 2], 6, window_size=8, upscale=4, **_PS)),
    "SwinIR-light": _host(
        "SwinIR", **_windows(60, [2], 6, window_size=8, upscale=2, mlp_ratio=2, **_DIRECT)
    ),
    "Swin2SR": _host("Swin2SR", **_windows(60, [2, 2], 6, window_size=8, upscale=4, **_PS)),
    "HAT": _host("HAT", **_windows(48, [2], 6, window_size=8, upscale=4)),
    "DRCT": _host("DRCT", **_windows(48, [2], 6, window_size=8, upscale=4, **_PS), multiple=16),
    "ATD": _host("ATD", **_windows(48, [2], 6, upscale=4, **_PS)),
    "DAT": _host("DAT", embed_dim=60, split_size=[8, 16], depth=[2], num_heads=[6]),
    "RGT": _host("RGT", embed_dim=48, depth=[2], num_heads=[6], split_size=[8, 32]),
    "GRL": _host(
        "GRL",
        embed_dim=48,
        upscale=4,
        upsampler="pixelshuffle",
        depths=[2],
        num_heads_window=[3],
        num_heads_stripe=[3],
        float32_only=True,
    ),
    "OmniSR": _host("OmniSR", num_feat=48),
    "DITN": _host("DITN", dim=48, ITL_blocks=1, SAL_blocks=1, multiple=8),
    "CRAFT": _host("CRAFT", depths=[2], num_heads=[6], multiple=16),
    "FDAT": _host("FDAT", embed_dim=48, num_groups=1, depth_per_group=2),
    "DCTLSA": _host("DCTLSA"),
    "SCUNet": _host("SCUNet", config=[1] * 7, least=40),
    "Uformer": _host("Uformer", depths=[1] * 9, multiple=128, square=True),
    "KBNet-l": _host("KBNet.KBNet_l", num_blocks=[1] * 4, num_refinement_blocks=1, multiple=16),
    "FFTformer": _host("FFTformer", num_blocks=[1] * 3, num_refinement_blocks=1, multiple=32),
    "RetinexFormer": _host("RetinexFormer", n_feat=48, stage=1, num_blocks=[1] * 3, multiple=8),
    "HVICIDNet": _host("HVICIDNet", multiple=8),
    "IPT": _host("IPT", n_feats=48, num_layers=1, only=48),
    # One code, so that float64 picks the same; attention carries the picture past it.
    "RestoreFormer": _host("RestoreFormer", ch=32, num_res_blocks=1, n_embed=1, multiple=32),
}

#: From the package spandrel_extra_arches.
EXTRA = {
    "SRFormer": _extra("SRFormer", **_windows(60, [2], 6, window_size=8, upscale=4, **_PS)),
    "DDColor": _extra("DDColor", encoder_name="convnext-t", dec_layers=3, multiple=32),
    "AdaCode": _extra("AdaCode", codebook_params=[[32, 64, 64]], multiple=64, float32_only=True),
    "FeMaSR": _extra(
        "FeMaSR",
        codebook_params=[[32, 64, 64]],
        LQ_stage=True,
        scale_factor=2,
        multiple=32,
        float32_only=True,
    ),
    "M3SNet": _extra("M3SNet", width=32, enc_blk_nums=[1] * 4, multiple=16),
    "Restormer": _extra("Restormer", num_blocks=[1] * 4, num_refinement_blocks=1, multiple=8),
    "MPRNet": _extra("MPRNet", num_cab=1, multiple=8),
    "MIRNet2": _extra("MIRNet2", n_feat=48, n_MRB=1, multiple=4),
}

HOSTS = CONVOLUTIONS | ATTENTION | EXTRA

#: What is in the registry and not in the table -> why.
LEFT_OUT = {
    "CodeFormer": "its code has 512x512 pictures, 64 channels and six levels as constants",
    "MAT": "its constructor takes no arguments: 62 million weights, and pictures of 512x512 only",
}
