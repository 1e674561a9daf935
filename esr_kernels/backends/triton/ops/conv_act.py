"""``conv_act``: a convolution by itself; most other ops here contain some."""

from ..convolution import convolution

conv_act = convolution
