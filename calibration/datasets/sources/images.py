"""Decoding of images with Pillow, and folders of images."""

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
_MAX_PIXELS = 100 * 10**6  # as large as phones' photos; a file of a few KB may claim more
_GRAY_MODES = ("1", "L", "LA")
_COLOR_MODES = ("RGB", "RGBA", "RGBX", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV")


def is_image(head: bytes) -> bool:
    """Whether bytes, 12 or more, begin with the signature of an image format."""
    return head.startswith(_MAGIC) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def decode(file: IO[bytes]) -> NDArray[Any]:
    """Decode an image to uint8: RGB (height, width, 3), or (height, width, 1) if it is grayscale.

    Transparency is dropped and the EXIF orientation ignored, as in TensorFlow's decoders. Raises
    :class:`DatasetError` for more than 8 bits per channel and for too many pixels, and Pillow's
    exceptions for an image that it cannot decode.
    """
    from PIL import Image

    with Image.open(file, formats=FORMATS) as image:
        if image.mode not in (*_GRAY_MODES, *_COLOR_MODES):
            raise DatasetError(f"an image of mode {image.mode}; save it with 8 bits per channel")
        if (pixels_count := image.width * image.height) > _MAX_PIXELS:
            raise DatasetError(
                f"an image of {pixels_count // 10**6:,} million pixels, more than"
                f" {_MAX_PIXELS // 10**6} million; make it smaller"
            )
        is_gray = image.mode in _GRAY_MODES
        pixels = np.asarray(image.convert("L" if is_gray else "RGB"))
    return pixels[..., np.newaxis] if is_gray else pixels


def decode_bytes(data: bytes) -> NDArray[Any]:
    """Decode an image in memory, as :func:`decode` does."""
    return decode(BytesIO(data))


class ImageFolder(Folder):
    """A folder of images."""

    kind = "images"

    def read(self, file: Path) -> NDArray[Any]:
        """Decode an image, as :func:`decode` does."""
        try:
            with file.open("rb") as opened:
                return decode(opened)
        except DatasetError as error:
            raise DatasetError(f"{file}: {error}") from error
        except Exception as error:
            message = str(error) or type(error).__name__
            if "cannot identify" in message:  # followed by the file object's address
                message = f"not one of {', '.join(FORMATS)}"
            raise DatasetError(
                f"{file}: cannot be decoded as an image: {message}; remove or repair it"
            ) from error
