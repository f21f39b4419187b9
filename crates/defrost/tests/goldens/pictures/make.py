"""Writes the small pictures beside this file with Pillow 13: python make.py

`picture.*` hold the formula picture `file/picture`, 12 rows of 20 pixels, cell 4 (`crates/defrost/src/formula.rs`) or a
variant of it that the tests compute. `*.decoded.png` hold Pillow's pixels (libjpeg-turbo) of the JPEG beside them.
"""
import os
import struct
import zlib

import numpy as np
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
MASK = (1 << 64) - 1
HEIGHT, WIDTH, CELL = 12, 20, 4


def bits(name, count):
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x100000001B3) & MASK
    out = []
    for i in range(count):
        z = (seed + (i + 1) * 0x9E3779B97F4A7C15) & MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        out.append((z ^ (z >> 31)) >> 56)
    return np.array(out, np.uint16)


def formula(name, h, w, cell):
    rows, columns = -(-h // cell), -(-w // cell)
    coarse = bits(name + "/coarse", rows * columns * 3).reshape(rows, columns, 3)
    coarse = coarse.repeat(cell, 0).repeat(cell, 1)[:h, :w]
    return ((3 * coarse + bits(name + "/fine", h * w * 3).reshape(h, w, 3)) >> 2).astype(np.uint8)


def path(name):
    return os.path.join(HERE, name)


def write_png16(name, pixels):
    """RGB, 16 bits a sample, no row filters (Pillow writes 16 bits only in grey)."""
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    h, w, _ = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", w, h, 16, 2, 0, 0, 0)
    with open(name, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def write_tiff(name, pixels):
    """RGB, one uncompressed strip, unsigned or float samples (Pillow writes neither 16 bits nor floats in RGB)."""
    h, w, _ = pixels.shape
    size = pixels.dtype.itemsize
    kind = 3 if pixels.dtype.kind == "f" else 1
    short, long = 3, 4
    entries = 10
    after = 8 + 2 + entries * 12 + 4
    tags = [(256, long, 1, w), (257, long, 1, h), (258, short, 3, after), (259, short, 1, 1), (262, short, 1, 2),
            (273, long, 1, after + 12), (277, short, 1, 3), (278, long, 1, h), (279, long, 1, pixels.nbytes),
            (339, short, 3, after + 6)]
    assert len(tags) == entries
    directory = struct.pack("<H", entries) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + struct.pack("<I", 0)
    arrays = struct.pack("<6H", *[8 * size] * 3, *[kind] * 3)
    with open(name, "wb") as f:
        f.write(b"II*\0" + struct.pack("<I", 8) + directory + arrays + pixels.tobytes())


def main():
    rgb = formula("file/picture", HEIGHT, WIDTH, CELL)
    picture = Image.fromarray(rgb)
    alpha = rgb[..., ::-1][..., :1]  # the blue samples
    grey = Image.fromarray(rgb[..., 0])
    bilevel = Image.fromarray(np.where(rgb[..., 0] >= 128, 255, 0).astype(np.uint8)).convert("1", dither=Image.Dither.NONE)
    rgba = Image.fromarray(np.concatenate([rgb, alpha], -1))
    # Samples that are multiples of 51 fit a palette of 216 colours.
    palette = Image.fromarray(rgb // 52 * 51).quantize(216, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    assert np.array_equal(np.asarray(palette.convert("RGB")), rgb // 52 * 51)

    for extension in ("png", "bmp", "tiff"):
        picture.save(path(f"picture.{extension}"))
    picture.save(path("picture.webp"), lossless=True, exact=True)
    picture.save(path("lossy.webp"), quality=80)
    rgba.save(path("alpha.png"))
    rgba.save(path("alpha.webp"), lossless=True, exact=True)
    Image.merge("LA", [grey, Image.fromarray(alpha[..., 0])]).save(path("grey_alpha.png"))
    for extension in ("png", "bmp", "tiff"):
        grey.save(path(f"grey.{extension}"))
        bilevel.save(path(f"bilevel.{extension}"))
    for extension in ("png", "bmp", "gif"):
        palette.save(path(f"palette.{extension}"))
    palette.save(path("animated.gif"), save_all=True, append_images=[palette.transpose(Image.Transpose.ROTATE_180)])
    picture.save(path("animated.webp"), save_all=True, lossless=True, exact=True,
                 append_images=[picture.transpose(Image.Transpose.ROTATE_180)])
    picture.save(path("lzw.tiff"), compression="tiff_lzw")
    picture.convert("CMYK").save(path("cmyk.tiff"))

    # 16 bits: the high byte is the picture, the low byte is all ones.
    sixteen = rgb.astype(np.uint16) * 256 + 255
    write_png16(path("sixteen.png"), sixteen)
    write_tiff(path("sixteen.tiff"), sixteen.astype("<u2"))
    write_tiff(path("float.tiff"), (rgb.astype("<f4") / 255).astype("<f4"))

    smooth = Image.fromarray(formula("file/jpeg", 40, 56, 8))
    exif = Image.Exif()
    exif[0x0112] = 6
    jpegs = {
        "444": dict(subsampling=0), "420": dict(subsampling=2), "422": dict(subsampling=1), "progressive": dict(progressive=True),
        "exif": dict(exif=exif),
    }
    for name, options in jpegs.items():
        smooth.save(path(f"{name}.jpg"), quality=85, **options)
    smooth.convert("L").save(path("grey.jpg"), quality=85)
    smooth.convert("CMYK").save(path("cmyk.jpg"), quality=95)
    # The same bytes called YCCK by Adobe's marker (colour transform 2): the colours change, which is all that a test needs.
    cmyk = bytearray(open(path("cmyk.jpg"), "rb").read())
    cmyk[cmyk.index(b"Adobe") + 11] = 2
    with open(path("ycck.jpg"), "wb") as f:
        f.write(cmyk)
    for name in ["444", "420", "422", "progressive", "grey", "cmyk", "ycck"]:
        Image.open(path(f"{name}.jpg")).convert("RGB").save(path(f"{name}.decoded.png"))


main()
