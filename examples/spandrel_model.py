"""A checkpoint of any network that spandrel knows, made faster in place.

python examples/spandrel_model.py 4x-model.pth in.png out.png
"""

import sys

import numpy as np
import torch
from PIL import Image
from spandrel import ModelLoader

import esr_kernels

checkpoint, source, target = sys.argv[1:]
model = ModelLoader().load_from_file(checkpoint).eval()
esr_kernels.accelerate(model)  # the same descriptor; nothing else in your program changes
print(esr_kernels.explain(model))

picture = np.asarray(Image.open(source).convert("RGB"))
x = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None] / 255
with torch.inference_mode():
    y = model(x)
pixels = y[0].permute(1, 2, 0).mul(255).round().byte()
Image.fromarray(pixels.numpy()).save(target)
