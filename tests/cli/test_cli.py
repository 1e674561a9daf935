"""The command as a shell sees it: what it prints, where, and the exit code."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import esr_kernels
from esr_kernels.cli import main
from esr_kernels.pictures import upscale

PROJECT = Path(__file__).resolve().parents[2]


def shell(*arguments) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "esr_kernels", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture
def picture(tmp_path):
    Pillow.fromarray(np.full((20, 16, 3), 99, np.uint8)).save(tmp_path / "in.png")
    return tmp_path / "in.png"


@pytest.fixture
def upscaled(monkeypatch):
    """Replaces ``upscale`` and keeps what it was called with."""
    calls = []

    def fake(*arguments, **options):
        calls.append((arguments, options))
        return upscale.Result(written=(Path("out.png"),))

    monkeypatch.setattr(upscale, "upscale", fake)
    return calls


def failure(capsys, *arguments) -> str:
    """The one line on stderr of a command that is refused."""
    assert main.main(list(map(str, arguments))) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("esr-kernels: ")
    assert "Traceback" not in err
    return err


def test_options_arrive(upscaled, picture, capsys):
    arguments = "--model rlfn --weights w.pth --device cpu --dtype bfloat16 --tile 64 --suffix _b"
    assert main.main(["upscale", str(picture), "b.png", *arguments.split(), "--overwrite"]) == 0
    assert upscaled == [
        (
            (str(picture), "b.png"),
            {
                "model": "rlfn",
                "weights": "w.pth",
                "device": "cpu",
                "dtype": "bfloat16",
                "tile": 64,
                "suffix": "_b",
                "overwrite": True,
                "progress": True,
            },
        )
    ]
    assert capsys.readouterr().out.startswith("out.png (")


def test_missing_kernels_are_said(upscaled, picture, monkeypatch, capsys):
    rows = [("cpu", False, "no compiled kernels"), ("reference", True, "plain torch")]
    monkeypatch.setattr("esr_kernels.backends.choice.describe", lambda: rows)
    main.main(["upscale", str(picture), "b.png", "--device", "cpu"])
    assert capsys.readouterr().err == "esr-kernels: note: no compiled kernels\n"


def test_what_another_device_lacks_is_not_said(upscaled, picture, monkeypatch, capsys):
    rows = [("cpu", True, "uses avx2"), ("triton", False, "no GPU"), ("reference", True, "torch")]
    monkeypatch.setattr("esr_kernels.backends.choice.describe", lambda: rows)
    main.main(["upscale", str(picture), "b.png", "--device", "cpu"])
    assert capsys.readouterr().err == ""


def test_defaults(upscaled, picture):
    main.main(["upscale", str(picture), "b.png"])
    options = upscaled[0][1]
    assert (options["model"], options["tile"], options["overwrite"]) == ("span", "auto", False)


def test_refusals_are_one_line(picture, tmp_path, capsys):
    out = tmp_path / "out.png"
    assert "no picture" in failure(capsys, "upscale", tmp_path / "absent.png", out)
    assert "exists already" in failure(capsys, "upscale", picture, picture)
    assert "at least 32" in failure(capsys, "upscale", picture, out, "--tile", "3")
    assert "no device is called" in failure(capsys, "upscale", picture, out, "--device", "x")
    assert "float32, float16" in failure(capsys, "upscale", picture, out, "--dtype", "int8")
    assert "neither a checkpoint" in failure(capsys, "upscale", picture, out, "--model", "x")
    assert not out.exists()


@pytest.mark.parametrize(
    "arguments", [[], ["enlarge"], ["upscale"], ["upscale", "a", "b", "--tile", "big"]]
)
def test_wrong_arguments_are_one_line(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main.main(arguments)
    err = capsys.readouterr().err
    assert caught.value.code == 2 and err.count("\n") == 1 and "--help" in err


@pytest.mark.parametrize(
    ("error", "code"),
    [(KeyboardInterrupt(), 130), (MemoryError(), 2), (RuntimeError("two\nlines"), 2)],
)
def test_exit_codes(picture, monkeypatch, capsys, error, code):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(upscale, "upscale", fail)
    assert main.main(["upscale", str(picture), "out.png"]) == code
    assert capsys.readouterr().err.count("\n") == 1


def test_failures_and_notes_go_to_stderr(tmp_path, monkeypatch, capsys):
    result = upscale.Result(
        written=(tmp_path / "a.png",),
        failed=((tmp_path / "b.png", "is broken"),),
        notes=("tiles were faded",),
    )
    monkeypatch.setattr(upscale, "upscale", lambda *_, **__: result)
    assert main.main(["upscale", str(tmp_path), "out"]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("1 upscaled, 1 failed (")
    assert "note: tiles were faded" in err and f"failed: {tmp_path / 'b.png'}: is broken" in err


def test_warnings_are_one_line(tmp_path, monkeypatch, capsys):
    def warn(*_, **__):
        import warnings

        warnings.warn("a picture lost something", stacklevel=1)
        return upscale.Result()

    monkeypatch.setattr(upscale, "upscale", warn)
    assert main.main(["upscale", str(tmp_path), "out"]) == 0
    assert capsys.readouterr().err == "esr-kernels: warning: a picture lost something\n"


def test_sample(tmp_path, capsys):
    assert main.main(["sample", str(tmp_path / "a.png")]) == 0
    assert main.main(["sample", str(tmp_path / "b.png")]) == 0
    first, second = (np.asarray(Pillow.open(tmp_path / f"{n}.png")) for n in "ab")
    assert first.shape == (128, 192, 3) and np.array_equal(first, second)
    assert first.std() > 30
    capsys.readouterr()
    assert "exists already" in failure(capsys, "sample", tmp_path / "a.png")
    assert main.main(["sample", str(tmp_path / "a.png"), "--overwrite"]) == 0


def test_info_and_models(capsys):
    assert main.main(["info"]) == 0
    text = capsys.readouterr().out
    for word in (f"esr_kernels  {esr_kernels.__version__}", "torch", "cpu", "threads", "reference"):
        assert word in text
    assert main.main(["models"]) == 0
    assert "span" in capsys.readouterr().out


def test_in_a_shell(tmp_path):
    assert shell("--version").stdout == f"esr-kernels {esr_kernels.__version__}\n"
    assert "upscale" in shell("--help").stdout
    refused = shell("upscale", tmp_path / "absent.png", tmp_path / "out.png")
    assert refused.returncode == 2 and refused.stdout == ""
    assert refused.stderr == f"esr-kernels: no picture or folder at {tmp_path / 'absent.png'}\n"


@pytest.mark.reference
def test_first_minutes_of_a_newcomer(tmp_path, reference_dir):
    """Draw a picture, upscale it, see it there; then be told that it is there."""
    small, large = tmp_path / "small.png", tmp_path / "large.png"
    assert shell("sample", small).returncode == 0
    done = shell("upscale", small, large)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert Pillow.open(large).size == (4 * 192, 4 * 128)
    assert shell("upscale", small, large).returncode == 2
    # It is the same picture: reduced again it is near the small one.
    again = np.asarray(Pillow.open(large).resize((192, 128), Pillow.Resampling.BOX)).astype(int)
    assert abs(again - np.asarray(Pillow.open(small))).mean() < 4


@pytest.mark.reference
def test_folder_with_a_broken_picture(tmp_path, reference_dir, capsys):
    (tmp_path / "src").mkdir()
    Pillow.new("RGB", (9, 8)).save(tmp_path / "src/a.png")
    (tmp_path / "src/b.png").write_bytes(b"broken")
    assert main.main(["upscale", str(tmp_path / "src"), str(tmp_path / "dst")]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("1 upscaled, 1 failed")
    assert err.count("\n") == 1 and "failed:" in err and err.count("b.png") == 1


def test_a_reader_that_stops_early_is_no_error():
    command = (
        f"{sys.executable} -m esr_kernels leaderboard --paper | head -n 1; exit ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("Rank")
