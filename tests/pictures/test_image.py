"""Picture files in and out: what must survive, what must be refused, and how."""

import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms, PngImagePlugin

from esr_kernels.pictures.io import Image, check_format, read, write

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (7, 5, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (7, 5), dtype=np.uint8)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def png_16(path, samples: np.ndarray, colour_type: int) -> None:
    """Write 16-bit PNG of any colour type, which Pillow itself cannot."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    height, width = samples.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))


def planes_of(image: Image) -> np.ndarray:
    """The pixels of ``image`` as they are written, as if by a network that does nothing."""
    levels = np.rint(image.pixels * (2**image.depth - 1))
    planes = levels.astype(np.uint8 if image.depth == 8 else np.uint16)
    return planes[:1] if image.grey else planes


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".tif", ".PNG"])
def test_colour_round_trip_is_lossless(tmp_path, suffix):
    Pillow.fromarray(COLOUR).save(tmp_path / f"in{suffix}")
    image = read(tmp_path / f"in{suffix}")
    assert image.pixels.dtype == np.float32 and image.pixels.shape == (3, 7, 5)
    assert (image.height, image.width, image.depth, image.grey) == (7, 5, 8, False)
    assert image.pixels.max() <= 1 and image.alpha is None
    write(tmp_path / f"out{suffix}", planes_of(image), image)
    assert np.array_equal(np.asarray(Pillow.open(tmp_path / f"out{suffix}")), COLOUR)


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp"])
def test_lossy_formats_stay_near(tmp_path, suffix):
    smooth = np.asarray(Pillow.linear_gradient("L").convert("RGB"))
    Pillow.fromarray(smooth).save(tmp_path / "in.png")
    image = read(tmp_path / "in.png")
    write(tmp_path / f"out{suffix}", planes_of(image), image)
    error = np.asarray(Pillow.open(tmp_path / f"out{suffix}").convert("RGB")).astype(int) - smooth
    assert abs(error).max() <= 4


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".bmp", ".jpg"])
def test_grey_stays_grey(tmp_path, suffix):
    Pillow.fromarray(GREY).save(tmp_path / "in.png")
    image = read(tmp_path / "in.png")
    assert image.grey and np.array_equal(image.pixels[0], image.pixels[2])
    write(tmp_path / f"out{suffix}", planes_of(image), image)
    assert Pillow.open(tmp_path / f"out{suffix}").mode == "L"


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("values", ["dark", "full"])
def test_16_bit_grey_is_kept(tmp_path, suffix, values):
    """Dark ones too: depth comes from the file, not from its largest value."""
    levels = np.arange(35, dtype=np.uint16).reshape(7, 5) * (1 if values == "dark" else 1927)
    Pillow.fromarray(levels).save(tmp_path / f"in{suffix}")
    image = read(tmp_path / f"in{suffix}")
    assert image.depth == 16 and image.grey
    assert image.pixels.max() == pytest.approx(levels.max() / 65535, abs=1e-7)
    write(tmp_path / f"out{suffix}", planes_of(image), image)
    assert np.array_equal(np.asarray(Pillow.open(tmp_path / f"out{suffix}")), levels)


def test_16_bit_grey_to_8_bit_format_warns_and_rounds(tmp_path):
    Pillow.fromarray(np.full((4, 4), 65535 - 100, np.uint16)).save(tmp_path / "in.png")
    image = read(tmp_path / "in.png")
    with pytest.warns(UserWarning, match=r"8 bits.*\.png and \.tiff keep"):
        check_format(tmp_path / "out.bmp", image, 1)
    write(tmp_path / "out.bmp", planes_of(image), image)
    assert np.asarray(Pillow.open(tmp_path / "out.bmp")).max() == 255


@pytest.mark.parametrize(("colour_type", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_16_bit_colour_warns(tmp_path, colour_type, channels):
    png_16(tmp_path / "in.png", np.full((3, 4, channels), 5000), colour_type)
    with pytest.warns(UserWarning, match=r"in\.png: 16-bit .* is read as 8 bits"):
        assert read(tmp_path / "in.png").depth == 8


def test_8_bit_reads_without_warning(tmp_path):
    Pillow.fromarray(COLOUR).save(tmp_path / "in.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(tmp_path / "in.png")


def test_alpha_is_kept_and_enlarged(tmp_path):
    alpha = np.zeros((8, 8), np.uint8)
    alpha[:, 4:] = 255
    Pillow.fromarray(np.dstack([np.full((8, 8, 3), 90, np.uint8), alpha])).save(tmp_path / "in.png")
    image = read(tmp_path / "in.png")
    assert np.array_equal(image.alpha, alpha) and image.transparent
    large = np.full((3, 32, 32), 90, np.uint8)
    for suffix in (".png", ".tiff", ".webp"):
        write(tmp_path / f"out{suffix}", large, image)
        result = np.asarray(Pillow.open(tmp_path / f"out{suffix}"))
        assert result.shape == (32, 32, 4)
        # The edge is soft for a bicubic's reach, and no ghost of it is left beyond.
        assert (result[:, :8, 3] == 0).all() and (result[:, 24:, 3] == 255).all()
        assert (np.diff(result[..., 3].astype(int), axis=1) >= 0).all()


def test_hidden_colour_does_not_bleed(tmp_path):
    pixels = np.zeros((9, 7, 4), np.uint8)  # black wherever alpha is 0
    pixels[3:6, 2:5] = (200, 100, 50, 255)
    Pillow.fromarray(pixels).save(tmp_path / "in.png")
    image = read(tmp_path / "in.png")
    expected = np.array([200, 100, 50], np.float32).reshape(3, 1, 1) / 255
    assert np.allclose(image.pixels, expected, atol=1e-6)


def test_visible_colour_is_left_alone(tmp_path):
    pixels = np.dstack([COLOUR, np.where(GREY > 100, GREY, 0)])
    Pillow.fromarray(pixels).save(tmp_path / "in.png")
    image = read(tmp_path / "in.png")
    seen = pixels[..., 3] > 0
    assert np.array_equal(np.rint(image.pixels * 255)[:, seen], COLOUR.transpose(2, 0, 1)[:, seen])


def test_wholly_transparent(tmp_path):
    Pillow.new("RGBA", (5, 3), (9, 9, 9, 0)).save(tmp_path / "in.png")
    assert (read(tmp_path / "in.png").pixels == 0).all()


def test_grey_with_alpha(tmp_path):
    Pillow.fromarray(np.dstack([GREY, GREY]), "LA").save(tmp_path / "in.png")
    image = read(tmp_path / "in.png")
    assert image.grey and np.array_equal(image.alpha, GREY)
    write(tmp_path / "out.png", planes_of(image), image)
    assert Pillow.open(tmp_path / "out.png").mode == "LA"


def test_palette_with_and_without_transparency(tmp_path):
    palette = Pillow.fromarray(COLOUR).quantize(8)
    palette.save(tmp_path / "plain.png")
    palette.save(tmp_path / "clear.png", transparency=3)
    assert read(tmp_path / "plain.png").alpha is None
    image = read(tmp_path / "clear.png")
    assert np.array_equal(image.alpha == 0, np.asarray(palette) == 3)


@pytest.mark.parametrize("opaque", [True, False])
@pytest.mark.parametrize("suffix", [".jpg", ".bmp"])
def test_transparency_is_refused_where_it_cannot_be(tmp_path, opaque, suffix):
    Pillow.new("RGBA", (5, 3), (9, 9, 9, 255 if opaque else 128)).save(tmp_path / "in.png")
    image = read(tmp_path / "in.png")
    if opaque:  # there is nothing to lose
        check_format(tmp_path / f"out{suffix}", image, 4)
        write(tmp_path / f"out{suffix}", planes_of(image), image)
    else:
        with pytest.raises(ValueError, match=r"transparent.*write out\.png instead"):
            check_format(tmp_path / f"out{suffix}", image, 4)


def test_one_bit_and_cmyk(tmp_path):
    Pillow.fromarray(GREY).convert("1").save(tmp_path / "one.png")
    assert read(tmp_path / "one.png").grey
    Pillow.new("CMYK", (6, 4), (0, 255, 255, 0)).save(tmp_path / "red.tiff")
    image = read(tmp_path / "red.tiff")
    assert image.pixels.shape == (3, 4, 6) and not image.grey
    assert np.allclose(image.pixels[:, 0, 0], (1, 0, 0), atol=0.01)


def test_cmyk_with_a_broken_profile(tmp_path):
    Pillow.new("CMYK", (6, 4), (0, 255, 255, 0)).save(tmp_path / "in.tiff", icc_profile=b"nonsense")
    assert read(tmp_path / "in.tiff").icc is None


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tiff"])
def test_profile_resolution_and_exif_survive(tmp_path, suffix):
    exif = Pillow.Exif()
    exif[0x010F] = "a camera"
    exif.get_ifd(0x8769)[0xA002] = 5
    Pillow.fromarray(COLOUR).save(
        tmp_path / f"in{suffix}", icc_profile=SRGB, exif=exif.tobytes(), dpi=(300, 300)
    )
    image = read(tmp_path / f"in{suffix}")
    write(tmp_path / f"out{suffix}", np.zeros((3, 28, 20), np.uint8), image)
    result = Pillow.open(tmp_path / f"out{suffix}")
    assert result.info["icc_profile"] == SRGB
    assert result.getexif()[0x010F] == "a camera"
    assert result.getexif().get_ifd(0x8769)[0xA002] == 20
    if suffix != ".webp":  # it has no place for a resolution
        assert float(result.info["dpi"][0]) == pytest.approx(300, abs=0.1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(tmp_path, orientation):
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    Pillow.fromarray(COLOUR).save(tmp_path / "in.png", exif=exif.tobytes(), dpi=(100, 200))
    image = read(tmp_path / "in.png")
    turned = orientation >= 5
    assert (image.height, image.width) == ((5, 7) if turned else (7, 5))
    assert image.dpi == pytest.approx((200, 100) if turned else (100, 200), abs=0.1)
    write(tmp_path / "out.png", planes_of(image), image)
    assert Pillow.open(tmp_path / "out.png").getexif().get(0x0112, 1) == 1


def broken_files(folder):
    Pillow.fromarray(np.tile(COLOUR, (20, 20, 1))).save(folder / "whole.png")
    Pillow.fromarray(np.tile(COLOUR, (20, 20, 1))).save(folder / "whole.jpg")
    whole = (folder / "whole.png").read_bytes()
    bad_sum = bytearray(whole)
    bad_sum[20] ^= 255
    return {
        "cut.png": whole[: len(whole) // 2],
        "cut.jpg": (folder / "whole.jpg").read_bytes()[:900],
        "header only.png": whole[:30],
        "bad sum.png": bytes(bad_sum),
        "text.png": b"this is not a picture",
        "empty.png": b"",
        "page.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    }


@pytest.mark.parametrize(
    "name",
    ["cut.png", "cut.jpg", "header only.png", "bad sum.png", "text.png", "empty.png", "page.eps"],
)
def test_broken_files_are_value_errors(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(broken_files(tmp_path)[name])
    with pytest.raises(ValueError, match=r"broken|no picture") as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="no picture at"):
        read(tmp_path / "absent.png")
    with pytest.raises(ValueError, match="is a folder"):
        read(tmp_path)


def test_decompression_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(Pillow, "MAX_IMAGE_PIXELS", 10)
    Pillow.fromarray(COLOUR).save(tmp_path / "in.png")
    with pytest.raises(ValueError, match=r"too large to be trusted.*MAX_IMAGE_PIXELS"):
        read(tmp_path / "in.png")


def test_compressed_text_bomb(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "x" * (PngImagePlugin.MAX_TEXT_CHUNK + 1), zip=True)
    Pillow.fromarray(COLOUR).save(tmp_path / "in.png", pnginfo=info)
    with pytest.raises(ValueError, match="broken"):
        read(tmp_path / "in.png")


@pytest.mark.parametrize("mode", ["I", "F"])
def test_32_bit_is_refused(tmp_path, mode):
    Pillow.new(mode, (4, 4)).save(tmp_path / "in.tiff")
    with pytest.raises(ValueError, match="save it with 8 or 16 bits"):
        read(tmp_path / "in.tiff")


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_broken_exif_is_left_out(tmp_path, suffix):
    Pillow.fromarray(COLOUR).save(tmp_path / f"in{suffix}", exif=b"Exif\0\0nonsense")
    with pytest.warns(UserWarning, match="EXIF block is broken"):
        image = read(tmp_path / f"in{suffix}")
    assert image.exif is None and image.pixels.shape == (3, 7, 5)


def test_animation_warns(tmp_path):
    frames = [Pillow.new("L", (4, 4), value) for value in (0, 255)]
    frames[0].save(tmp_path / "in.gif", save_all=True, append_images=frames[1:])
    with pytest.warns(UserWarning, match="only the first of its 2 pictures"):
        read(tmp_path / "in.gif")


def test_read_closes_the_file(tmp_path):
    Pillow.fromarray(COLOUR).save(tmp_path / "in.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        image = read(tmp_path / "in.png")
    write(tmp_path / "in.png", planes_of(image), image, overwrite=True)
    assert np.array_equal(read(tmp_path / "in.png").pixels, image.pixels)
