"""What a report is made of: sections with sentences, pictures and tables."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ejectamap.evaluation.tables import FigureTable

_QUALITY = 86  # of JPEG: letters on the ground stay sharp, a print of the page stays small


@dataclass(frozen=True)
class Picture:
    """A picture as it stands in the page.

    Attributes
    ----------
    uri : str
        The picture itself, a data URI.
    alt : str
        What it shows, for those who cannot see it.
    width, height : int
        In pixels.
    """

    uri: str
    alt: str
    width: int
    height: int


@dataclass(frozen=True)
class Missing:
    """Something the report could show.

    Attributes
    ----------
    text : str
        What is missing, a sentence.
    command : str
        What makes it.
    """

    text: str
    command: str


@dataclass(frozen=True)
class Section:
    """A part of the report under a heading of its own; each part of it may be empty.

    Attributes
    ----------
    key : str
        Anchor in the page.
    title : str
    text : tuple of str
        Paragraphs.
    missing : tuple of Missing
    pictures : tuple of Picture
    tables : tuple of FigureTable
    listing : str
        Long preformatted text, folded away.
    """

    key: str
    title: str
    text: tuple[str, ...] = ()
    missing: tuple[Missing, ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[FigureTable, ...] = ()
    listing: str = ""


def inline_drawing(path: Path, alt: str) -> Picture:
    """Put a PNG of lines and letters into a data URI as it is."""
    with Image.open(path) as image:
        return Picture(_data_uri("png", path.read_bytes()), alt, *image.size)


def inline_ground(path: Path, alt: str, box: tuple[int, int, int, int] | None = None) -> Picture:
    """Put a PNG that shows ground into a data URI as JPEG, or the part of it inside a box of pixels."""
    with Image.open(path) as image:
        part = image.convert("RGB").crop(box or (0, 0, *image.size))
    buffer = io.BytesIO()
    part.save(buffer, "JPEG", quality=_QUALITY, subsampling=0, optimize=True)
    return Picture(_data_uri("jpeg", buffer.getvalue()), alt, *part.size)


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
