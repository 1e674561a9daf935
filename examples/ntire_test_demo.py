"""The loop of an NTIRE challenge entry's test script: one line makes the network faster.

python examples/ntire_test_demo.py LR_folder SR_folder
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import esr_kernels
from esr_kernels import models

lr_folder, sr_folder = map(Path, sys.argv[1:])
sr_folder.mkdir(exist_ok=True)
model = models.load("span").eval()  # your entry, with its weights
esr_kernels.accelerate(model)  # the line

for path in sorted(lr_folder.glob("*.png")):
    x = torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1)[None] / 255
    began_s = time.perf_counter()
    with torch.no_grad():
        y = model(x)
    print(f"{path.name}: {1e3 * (time.perf_counter() - began_s):.1f} ms")
    pixels = y[0].clamp(0, 1).permute(1, 2, 0).mul(255).round().byte()
    Image.fromarray(pixels.numpy()).save(sr_folder / path.name)
