"""Attacks by impossible values of settings."""

import re
from collections.abc import Iterator
from pathlib import Path

from case import FRESH, SLOW, WRITES, Case

_IMPOSSIBLE = (
    "seed=-1",
    "seed=1e99",
    "seed=x",
    "version=3",
    "method=none",
    "method=[polar]",
    "inputs.mosaic=null",
    "inputs.reach={1: 2}",
    "inputs.reach={x: 0.5}",
    "inputs.columns=[lon]",
    "views.chip_px=0",
    "views.chip_px=100000",
    "views.polar_px=[32]",
    "views.polar_px=[32, 64, 96]",
    "views.polar_px=[.nan, 64]",
    "views.overlap=1",
    "views.overlap=.nan",
    "views.tile_km=0",
    "views.tile_km=-.inf",
    "views.polar_power=0",
    "views.annulus_radii=[3, 2]",
    "context.batch_size=0",
    "context.batch_size=1000000",
    "context.members=100000",
    "context.max_epochs=0",
    "context.augment.blur_px=1e9",
    "context.augment.stretch=1e9",
    "context.augment.brightness=1e300",
    "context.decoder_channels=[12000, 12000, 12000, 12000, 12000]",
    "context.decoder_channels=[-1]",
    "context.blend=2",
    "context.warm_up_steps=1e30",
    "training.split=none",
    "training.test_fraction=2",
    "training.max_minutes=0",
    "training.devices=0",
    "training.loader_workers=1000000",
    "training.also_train_on=x",
    "map.threshold=1",
    "map.threshold=.nan",
    "map.keep_runs=-1",
    "map.backend=gpu",
    "products.doi=x",
    "products.authors=A",
    "context.loss=dice",
    "context.loss={name: dice, arguments: {smooth: .inf}}",
    "nothing=1",
    "views.nothing=1",
    "views=1",
    "=1",
    "views.",
    "a.b.c.d=1",
    "views.chip_px={",
    "products.credit=[" + "[" * 60,
    "map={}x",
    "context.batch_size=60000",
)
# Accepted as settings; the network or the map cannot be made.
_UNUSABLE = (
    "context.decoder_channels=[2000, 2000, 2000, 2000, 2000]",
    "context.decoder_channels=[16]",
    "context.encoder=x",
    "context.decoder=x",
    "context.loss={name: x}",
    "context.optimiser={name: x}",
    "context.scheduler={name: x}",
    "inputs.craters=nowhere.csv",
    "inputs.labels=nowhere",
    "inputs.tiles=nowhere.csv",
    "inputs.split=nowhere.csv",
    "inputs.part_of=nowhere.tif",
    "inputs.mosaic=''",
    "inputs.mosaic=.",
    "inputs.craters=/dev/zero",
    "inputs.columns={lon: nothing}",
    "training.start_from=nowhere",
    "training.also_train_on=[nowhere]",
    "training.also_train_on=[.]",
    "training.families=[none]",
    "training.accelerator=x",
    "training.strategy=x",
    "inputs.reach={0: 1e-9}",
)


def settings() -> Iterator[Case]:
    """Impossible values of settings, given to `new` and in project.yaml."""
    for text in _IMPOSSIBLE:
        call = ("new", "fresh", *FRESH, "--set", text)
        yield Case(
            f"--set {text[:40]}",
            call,
            code=2,
            names="|".join(re.escape(part[:5]) for part in text.partition("=")[0].split(".")),
            writes=WRITES,
        )
    for text in _UNUSABLE:
        section, _, rest = text.partition(".")
        key, _, value = rest.partition("=")

        def change(
            folder: Path, section: str = section, key: str = key, value: str = value
        ) -> None:
            path = folder / "project" / "project.yaml"
            content, count = re.subn(
                rf"(?ms)^({section}:\n.*?^  {key}: ).*?$",
                lambda m: m[1] + value,
                path.read_text(),
                count=1,
            )
            assert count == 1, (section, key)
            path.write_text(content)

        yield Case(f"settings {text[:50]}", SLOW["check"], change, code=2)
