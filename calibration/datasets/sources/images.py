"""A folder of images, or encoded images; Pillow decodes them."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.datasets.sources.folder import Folder
from edgepack.core.errors import DatasetError

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
SUFFIXES = (*(".bmp", ".gif", ".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".tif", ".tiff", ".webp"),)
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"P5", b"P6")
_MOST_PIXELS = 100 * 10**6  # what phones take; a file of a few KB may claim more
_GRAY_MODES = ("1", "L", "LA")
_COLOUR_MODES = ("RGB", "RGBA", "RGBX", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV")


def is_image(head: bytes) -> bool:
    """Whether bytes begin as an image does."""
    return head.startswith(_MAGIC) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def decode(file: IO[bytes]) -> NDArray[Any]:
    """Decode an image to uint8 (height, width, 3), red first, or (height, width, 1) if it is gray.

    Transparency is dropped, and a camera's note on its orientation ignored, as TensorFlow's
    decoders do. Raises :class:`DatasetError` for more than 8 bits a value, and what Pillow
    raises for what it cannot decode.
    """
    from PIL import Image

    with Image.open(file, formats=FORMATS) as image:
        if image.mode not in (*_GRAY_MODES, *_COLOUR_MODES):
            raise DatasetError(f"an image of mode {image.mode}; save it with 8 bits a value")
        if (pixels_count := image.width * image.height) > _MOST_PIXELS:
            raise DatasetError(
                f"an image of {pixels_count // 10**6:,} million pixels, more than"
                f" {_MOST_PIXELS // 10**6}; make it smaller"
            )
        is_gray = image.mode in _GRAY_MODES
        pixels = np.asarray(image.convert("L" if is_gray else "RGB"))
    return pixels[..., np.newaxis] if is_gray else pixels


def decode_bytes(data: bytes) -> NDArray[Any]:
    """Decode an image in memory."""
    return decode(BytesIO(data))


class ImageFolder(Folder):
    """A folder of images."""

    kind = "images"

    def read(self, file: Path) -> NDArray[Any]:
        """Decode an image."""
        try:
            with file.open("rb") as opened:
                return decode(opened)
        except DatasetError as error:
            raise DatasetError(f"{file}: {error}") from error
        except Exception as error:
            said = str(error) or type(error).__name__
            if "cannot identify" in said:  # with the opened file's address
                said = f"none of {', '.join(FORMATS)}"
            raise DatasetError(
                f"{file}: no image that can be decoded: {said}; remove or repair it"
            ) from error
