"""Changed copies of pictures that show the same ejecta. Random numbers are torch's, seeded by the trainer.

The last channel of a corridor (the marker) and the last two of a chip (distance and label) say where things are; they
turn with the picture and keep their values.
"""

import torch

_CONTRAST = 0.2
_BRIGHTNESS = 0.2


def augment_corridor(picture: torch.Tensor) -> torch.Tensor:
    """Mirror a corridor across its axis, and change its bands' contrast and brightness; (band + 1, width, length)."""
    if torch.rand(()) < 0.5:
        picture = picture.flip(1)
    return _relight(picture, bands=picture.shape[0] - 1)


def augment_chip(picture: torch.Tensor) -> torch.Tensor:
    """Mirror and turn a chip by quarters, and change its bands' contrast and brightness; (band + 2, n, n)."""
    if torch.rand(()) < 0.5:
        picture = picture.flip(2)
    picture = torch.rot90(picture, int(torch.randint(4, ())), dims=(1, 2))
    return _relight(picture, bands=picture.shape[0] - 2)


def _relight(picture: torch.Tensor, bands: int) -> torch.Tensor:
    """Change contrast and brightness of each of the first `bands` channels, by up to a fifth of its spread."""
    contrast = 1 + _CONTRAST * (2 * torch.rand(bands, 1, 1) - 1)
    brightness = _BRIGHTNESS * (2 * torch.rand(bands, 1, 1) - 1)
    spread = picture[:bands].std(dim=(1, 2), keepdim=True)
    return torch.cat([picture[:bands] * contrast + brightness * spread, picture[bands:]])
