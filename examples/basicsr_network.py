"""A network as BasicSR builds it from its options, with a checkpoint of its trainer.

python examples/basicsr_network.py net_g_latest.pth
"""

import sys

import torch
from torch import nn

import esr_kernels


class ConvNet(nn.Module):
    def __init__(self, num_feat=32, num_conv=4, upscale=4):
        super().__init__()
        self.upscale = upscale
        layers = [nn.Conv2d(3, num_feat, 3, padding=1), nn.LeakyReLU(0.1)]
        for _ in range(num_conv):
            layers += [nn.Conv2d(num_feat, num_feat, 3, padding=1), nn.LeakyReLU(0.1)]
        layers += [nn.Conv2d(num_feat, 3 * upscale**2, 3, padding=1), nn.PixelShuffle(upscale)]
        self.body = nn.Sequential(*layers)

    def forward(self, x):
        return self.body(x) + nn.functional.interpolate(x, scale_factor=self.upscale)


net = ConvNet().eval()
net.load_state_dict(torch.load(sys.argv[1], weights_only=True)["params_ema"])
print(esr_kernels.explain(esr_kernels.accelerate(net)))  # what was fused, and why not more
