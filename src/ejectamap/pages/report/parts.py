"""Parts of a report: sections with paragraphs, pictures and tables."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ejectamap.evaluation.tables import FigureTable
from ejectamap.outputs import reading

_REMEDY = "remove it and run ejectamap report again"
_QUALITY = 68  # text over the ground stays sharp, and the page small


@dataclass(frozen=True)
class Picture:
    """A picture that is embedded in the page.

    Attributes
    ----------
    uri : str
        Data URI with the picture.
    alt : str
        Description, for readers who cannot see it.
    width, height : int
        In pixels.
    """

    uri: str
    alt: str
    width: int
    height: int


@dataclass(frozen=True)
class Missing:
    """Content that the report lacks.

    Attributes
    ----------
    text : str
        A sentence that says what is missing.
    command : str
        Command that makes it.
    """

    text: str
    command: str


@dataclass(frozen=True)
class ReportSection:
    """A section of the report; every attribute but key and title may be empty.

    Attributes
    ----------
    key : str
        Anchor (HTML id) in the page.
    title : str
    text : tuple of str
        Paragraphs.
    missing : tuple of Missing
    pictures : tuple of Picture
    tables : tuple of FigureTable
    listing : str
        Long preformatted text, collapsed in the page.
    """

    key: str
    title: str
    text: tuple[str, ...] = ()
    missing: tuple[Missing, ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[FigureTable, ...] = ()
    listing: str = ""


def embed_png(path: Path, alt: str) -> Picture:
    """Embed a PNG unchanged; for plots."""
    with reading(path, _REMEDY), Image.open(path) as image:
        return Picture(_data_uri("png", path.read_bytes()), alt, *image.size)


def embed_jpeg(path: Path, alt: str, box: tuple[int, int, int, int] | None = None) -> Picture:
    """Embed a PNG, or a box of its pixels (left, upper, right, lower), as JPEG; for pictures of the ground.

    A PDF that is printed of the page keeps a JPEG as it is, and other kinds of pictures at ten times their size.
    """
    with reading(path, _REMEDY), Image.open(path) as image:
        part = image.convert("RGB").crop(box or (0, 0, *image.size))
    buffer = io.BytesIO()
    part.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return Picture(_data_uri("jpeg", buffer.getvalue()), alt, *part.size)


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
