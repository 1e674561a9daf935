"""The kernels' scheduler: bands, sizes, threads and memory around pictures."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from images import image

_C = pytest.importorskip("esr_kernels._C", reason="esr_kernels._C is not built")
from programs import Net, random_net, same  # noqa: E402

ISAS = _C.isas()
THREADS = (2, 3, 7, 50)  # 50: more than there are tile rows
every_isa = pytest.mark.parametrize("isa", ISAS)


def picture(n, c, h, w, seed=0):
    return 2 * image(n, c, h, w, seed) - 1


@every_isa
@pytest.mark.parametrize("depth", range(2, 11))
def test_threads_change_nothing(isa, depth):
    """Rows are computed alike whoever computes them, so results are equal bit for bit."""
    net, once = random_net(isa, depth), random_net(isa, depth)
    for height in range(1 + depth % 4, 41, 4):  # all of 1 to 40 by some depth
        x = picture(1 + height % 2, 5, height, (1, 3, 17, 33, 65)[height % 5])
        expected = once(x)
        for threads in THREADS:
            assert same(net(x, threads=threads), expected), (height, threads)


@every_isa
@pytest.mark.parametrize("depth", [1, 4, 9])
def test_sizes_may_change_between_calls(isa, depth):
    """Larger, smaller and larger again: no zero of the padding is left overwritten."""
    net = random_net(isa, depth)
    sizes = [(9, 9), (40, 70), (3, 5), (41, 71), (1, 1), (40, 70), (16, 64), (15, 63), (9, 9)]
    for n, (height, width) in enumerate(sizes):
        x = picture(1 + n % 3, 5, height, width, seed=n)
        expected = random_net(isa, depth)(x)  # a program that knows no other size
        assert same(net(x, threads=1 + n % 4), expected)


@every_isa
def test_pictures_of_a_batch_are_apart(isa):
    net = random_net(isa, 6)
    x = picture(5, 5, 13, 21)
    together = net(x, threads=3)
    for i in range(5):
        assert same([y[i : i + 1] for y in together], net(x[i : i + 1]))


@every_isa
def test_values_are_read_in_later_stages(isa, tolerance):
    """One early value is source, residual and output much later; against torch."""
    net = Net(isa)
    x = net.input(3)
    value = early = net.conv([x], 4, act="none")
    for _ in range(7):
        value = net.conv([value], 4, act="none")
    value = net.conv([value, early, x], 4, act="none", residual=early)
    for result in (value, early, x):
        net.output(result)

    def in_torch(x):
        head, *body, last = [(w.to(x.dtype), b.to(x.dtype)) for w, b in net.layers]
        y = early = F.conv2d(x, *head, padding=1)
        for layer in body:
            y = F.conv2d(y, *layer, padding=1)
        return F.conv2d(torch.cat([y, early, x], 1), *last, padding=1) + early, early, x

    for height, width in [(1, 1), (7, 33), (33, 31)]:
        p = picture(2, 3, height, width)
        results = zip(net(p, threads=3), in_torch(p), in_torch(p.double()), strict=True)
        for ours, plain, exact in results:
            tolerance(ours, plain, exact)


@every_isa
@pytest.mark.parametrize("height", [1, 4, 5, 13, 33, 41, 90])
def test_depthwise_between_convolutions(isa, height):
    """It looks as far as a 3x3 convolution: bands, rings and seams know it."""

    def build():
        net = Net(isa)
        x = net.input(5)
        value = early = net.conv([x], 6, 1, act="none")
        for depth in range(5):
            value = net.depthwise(value, residual=early if depth % 2 else -1)
            value = net.conv([value], 6, 3 if depth == 2 else 1)
        for result in (value, net.depthwise(early, "none"), early):
            net.output(result)
        return net

    net, x = build(), picture(2, 5, height, (1, 17, 33, 65)[height % 4])
    expected = build()(x)
    net(picture(1, 5, 100, 90))  # leaves larger rings behind
    for threads in (1, *THREADS):
        assert same(net(x, threads=threads), expected), threads


@every_isa
@pytest.mark.parametrize("size", [(15, 15), (15, 33), (16, 17), (31, 64), (33, 65), (64, 127)])
def test_esa_between_convolutions(isa, size):
    """Its maps are shared by the threads; the second block reuses the first one's buffers."""

    def build():
        net = Net(isa)
        x = net.input(3)
        y = net.esa(net.conv([x], 6))
        y = net.esa(net.conv([y], 6), hidden=7)
        net.output(net.conv([y, x], 12, act="none", residual=-1), 2, x)
        return net

    net, x = build(), picture(2, 3, *size)
    expected = build()(x)
    net(picture(1, 3, 90, 140))  # leaves larger maps behind
    for threads in THREADS:
        assert same(net(x, threads=threads), expected)


@every_isa
@pytest.mark.parametrize("size", [(1, 1), (5, 3), (7, 64), (18, 65), (33, 131)])
def test_nothing_around_pictures_is_touched(isa, size):
    """Inputs amid NaN: one read too far shows. Results amid a canary: so does one write."""
    n = 2
    net = Net(isa)
    x, u = net.input(3), net.input(6)
    y = net.conv([x], 6, act="gelu", residual=u)
    net.output(net.conv([y, x], 12, act="none"), 2, x)
    net.output(y)
    pictures = [picture(n, 3, *size), picture(n, 6, *size, seed=1)]
    expected = net(*pictures)
    amid = [embed(p, torch.nan) for p in pictures]
    frames = [torch.full(y.shape, 7.0) for y in expected]
    wide = [embed(f, 7.0) for f in frames]
    for threads in (1, 3):
        net.run([window(a, p) for a, p in zip(amid, pictures, strict=True)],
                [window(a, y) for a, y in zip(wide, expected, strict=True)], threads)  # fmt: skip
        assert same([window(a, y) for a, y in zip(wide, expected, strict=True)], expected)
        for frame, y in zip(wide, expected, strict=True):
            window(frame, y).fill_(7)
            assert (frame == 7).all()


def embed(x, value):
    n, c, h, w = x.shape
    whole = x.new_full((n + 2, c + 2, h + 3, w + 5), value)
    window(whole, x).copy_(x)
    return whole


def window(whole, x):
    n, c, h, w = x.shape
    return whole[1 : n + 1, 1 : c + 1, 2 : h + 2, 3 : w + 3]


@every_isa
def test_strides_of_a_picture_may_be_zero(isa):
    net = random_net(isa, 3)
    row = picture(1, 5, 1, 19)
    assert same(net(row.expand(3, 5, 11, 19)), net(row.repeat(3, 1, 11, 1)))


@every_isa
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf, 1e-40, -1e-40, 3e38, -3e38])
def test_extreme_pixels(isa, value):
    """They spoil what they reach, crash nothing, and the next call knows nothing of them."""
    net, x = random_net(isa, 4), picture(1, 5, 24, 90)
    expected = net(x)
    spoilt = x.clone()
    spoilt[:, 2, 3, 5] = value
    results = net(spoilt, threads=2)
    for ours, plain in zip(results, expected, strict=True):
        assert torch.equal(ours[..., 16:, :], plain[..., 16:, :])  # four rows of halo, and a tile
        assert torch.equal(ours[..., 40:], plain[..., 40:])
    assert same(net(x, threads=2), expected)


@every_isa
@pytest.mark.parametrize("threads", [1, 2])
def test_subnormals_are_zeros_in_programs_only(isa, threads):
    """They would cost a hundred times the time of other numbers."""
    net = Net(isa)
    x = net.input(1)
    net.outputs.append((1, 1))
    net.program.output(net.program.conv([x], np.full((1, 1, 1, 1), 1e30), np.zeros(1), "none"), 1)
    dark = torch.full((1, 1, 9, 70), 1e-39)
    (y,) = net(dark, threads=threads)
    assert y.abs().max() == 0
    assert (dark * 1e30).all()
    assert (net(1e10 * dark, threads=threads)[0] > 0).all()


@every_isa
@pytest.mark.parametrize("act", ["none", "relu", "lrelu", "silu", "gelu", "span_gate"])
def test_nan_is_never_hidden(isa, act):
    net = Net(isa)
    x, u = net.input(2), net.input(2)
    net.output(net.conv([x], 2, 1, act, u if act == "span_gate" else -1))
    p = picture(1, 2, 5, 7)
    p[0, 0, 2, 3] = torch.nan
    (y,) = net(p, picture(1, 2, 5, 7))
    assert y[..., 2, 3].isnan().all() and y.isnan().sum() == 2


@every_isa
def test_the_same_twice(isa):
    x = picture(2, 5, 37, 41)
    first, again = random_net(isa, 7), random_net(isa, 7)
    expected = first(x, threads=2)
    assert all(same(net(x, threads=2), expected) for net in (first, again, first))


def test_callers_at_the_same_time():
    """One program takes its callers in turn; different programs share the threads."""
    x = picture(1, 5, 31, 40)
    shared = random_net(ISAS[0], 5)
    nets = [shared, shared, shared, *(random_net(ISAS[0], 5) for _ in range(3))]
    expected = shared(x)
    with ThreadPoolExecutor(len(nets)) as pool:
        for _ in range(10):
            calls = [pool.submit(net, x, threads=1 + i % 3) for i, net in enumerate(nets)]
            assert all(same(call.result(timeout=60), expected) for call in calls)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="this system lists no threads")
@pytest.mark.skipif(not torch.backends.openmp.is_available(), reason="torch has no OpenMP")
def test_its_threads_are_those_of_torch():
    """Where torch's threads wait for their next work, others would have to wait for a processor."""
    code = """
import os, torch, esr_kernels
from torch import nn
torch.set_num_threads(3)
net = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1)).eval()
x = torch.rand(1, 8, 96, 96)
with torch.inference_mode():
    net(x)
    before = len(os.listdir("/proc/self/task"))
    esr_kernels.accelerate(net)
    assert any(line.backend == "cpu" for line in esr_kernels.explain(net).lines)
    net(x)
    print(before, len(os.listdir("/proc/self/task")))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = map(int, run.stdout.split())
    assert before > 2 and after <= before  # one that is no longer needed may have ended


def test_other_python_code_runs_meanwhile():
    """The interpreter's lock is released: another thread counts while a long run lasts."""
    net, x = random_net("sse2" if "sse2" in ISAS else ISAS[-1], 10), picture(1, 5, 600, 600)
    results = net.fresh(1, 600, 600)
    stop, moments = threading.Event(), []

    def count():
        while not stop.is_set():
            moments.append(time.perf_counter())
            time.sleep(0.001)

    counter = threading.Thread(target=count)
    counter.start()
    began = time.perf_counter()
    net.run([x], results)
    ended = time.perf_counter()
    stop.set()
    counter.join()
    within = [t for t in moments if began + 0.1 * (ended - began) < t < ended]
    assert within, f"nothing ran in the {ended - began:.3f} s of a call"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_after_a_fork():
    """A data loader's worker has none of its parent's threads, and computes the same."""
    net, x = random_net(ISAS[0], 5), picture(1, 5, 31, 40)
    expected = net(x, threads=3)  # the parent's threads exist
    child = os.fork()
    if child == 0:
        fine = same(net(x, threads=3), expected)
        fine = fine and same(random_net(ISAS[0], 5)(x, threads=4), expected)
        os._exit(0 if fine else 1)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.01)
    else:
        os.kill(child, 9)
        os.waitpid(child, 0)
        pytest.fail("the child hangs")
    assert os.waitstatus_to_exitcode(status) == 0
    assert same(net(x, threads=3), expected)
