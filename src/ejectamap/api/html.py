"""What a notebook shows of a map: how much of it there is, what to bear in mind, and a small picture of the planet."""

import base64
import io
from collections.abc import Iterable
from html import escape

from PIL import Image

from ejectamap.project.folder import Project

_WIDTH_PX = 720


def map_html(project: Project, summary: str, notes: Iterable[str]) -> str:
    """Describe a map as HTML."""
    lines = [f"<p><strong>Ejecta map</strong> of {escape(str(project.folder))}: {escape(summary)}"]
    lines += [f"<br>{escape(note)}" for note in notes]
    return "".join(lines) + "</p>" + _picture(project)


def _picture(project: Project) -> str:
    """The picture of the planet in map/global.png, made smaller; nothing if it is missing or damaged."""
    try:
        with Image.open(project.maps / "global.png") as image:
            small = image.convert("RGB")
    except OSError:
        return ""
    small.thumbnail((_WIDTH_PX, _WIDTH_PX))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85)
    data = base64.b64encode(buffer.getvalue()).decode()
    return (
        f'<img alt="map of the planet" width="{small.width}" src="data:image/jpeg;base64,{data}">'
    )
