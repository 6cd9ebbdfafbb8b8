"""A small release in the layout of the published one, made of a simulated planet."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import rasterio
import shapely
import torch
from released_networks import ReleasedConnection, ReleasedSegmentation, save_checkpoint
from torch import nn

from ejectamap.simulation.files import write_planet
from ejectamap.simulation.planet import simulate_planet
from ejectamap.world.body import azimuthal_crs, geographic_crs
from ejectamap.world.grid import Grid, Window
from ejectamap.world.sphere import azimuthal_inverse, distance

TILE_PX = 16
FIRST_TILE = 5
IDS = (0, 12, 17, 40)  # Hokusai, Debussy, Kuiper and one without a name; the last one has no labels


def _write(path: Path, values: np.ndarray, grid: Grid, window: Window) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=window.height,
        width=window.width,
        count=1,
        dtype="uint8",
        crs=grid.crs,
        transform=grid.window_transform(window),
    ) as target:
        target.write(values.astype(np.uint8), 1)


class MiniRelease:
    """A release folder, and its true ejecta in memory."""

    def __init__(self, root: Path) -> None:
        self.data, self.results = root / "data", root / "results"
        planet = simulate_planet(3, 256, 4)
        self.grid = planet.mosaic.grid
        self.craters = dict(zip(IDS, planet.craters, strict=True))
        self.whole = {
            i: planet.truth.read(c.crater_id, self.grid.whole) for i, c in self.craters.items()
        }
        self.mosaic = planet.mosaic
        write_planet(planet, root / "planet")
        (self.data / "mosaics").mkdir(parents=True)
        (root / "planet" / "mosaic.tif").rename(self.data / "mosaics" / "cylindrical_mosaic.tif")
        self.tiles = self._choose_tiles()
        labelled = np.zeros(self.grid.shape, bool)
        for window in self.tiles.values():
            labelled[window.row : window.row + TILE_PX, window.col : window.col + TILE_PX] = True
        self.labels = {i: self.whole[i] & labelled for i in IDS[:-1]}
        self._write_rims()
        self._write_labels()
        self.pairs = self._write_pairs()
        self._write_chips()
        self._write_manual()
        self.published = self._write_published()

    def window(self, tile_id: int) -> np.ndarray:
        w = self.tiles[tile_id]
        return np.s_[w.row : w.row + w.height, w.col : w.col + w.width]

    def _choose_tiles(self) -> dict[int, Window]:
        """Choose three tiles near every crater, side by side, none across an edge, numbered from 5."""
        tiles: dict[int, Window] = {}
        taken = set()
        for crater in self.craters.values():
            col, row = self.grid.to_pixel(crater.lon, crater.lat)
            for step in (0, 1, -2):
                cell = int(row) // TILE_PX, (int(col) // TILE_PX + step) % (256 // TILE_PX)
                if cell not in taken:
                    taken.add(cell)
                    tiles[FIRST_TILE + len(tiles)] = Window(
                        cell[0] * TILE_PX, cell[1] * TILE_PX, TILE_PX, TILE_PX
                    )
        return tiles

    def _write_rims(self) -> None:
        rims = [
            shapely.Point(c.lon, c.lat).buffer(np.degrees(c.radius_m / self.grid.radius_m))
            for c in self.craters.values()
        ]
        table = geopandas.GeoDataFrame(
            {
                "crat_FID": list(self.craters),
                "center_lon": [c.lon for c in self.craters.values()],
                "center_lat": [c.lat for c in self.craters.values()],
                "radius": [c.radius_m for c in self.craters.values()],
                "train": [1, 1, 1, 0],
            },
            geometry=rims,
            crs=geographic_crs(self.grid.radius_m).to_wkt(),
        )
        folder = self.data / "ejc_data"
        folder.mkdir()
        table.to_file(folder / "fresh_craters.shp")

    def _positions(self, counts: Sequence[int]) -> pd.DataFrame:
        windows = list(self.tiles.values())
        return pd.DataFrame(
            {
                "pos_index": list(self.tiles),
                "y": [w.row for w in windows],
                "x": [w.col for w in windows],
                "height": TILE_PX,
                "width": TILE_PX,
                "filename": "",
                "priority": 0,
                "num_1": counts,
            }
        )

    def _write_labels(self) -> None:
        any_ejecta = np.any(list(self.labels.values()), axis=0)
        counts = [int(any_ejecta[self.window(t)].sum()) for t in self.tiles]
        self._positions(counts).to_csv(self.data / "ejc_data" / "human_positions.csv", index=False)
        for crater_id, mask in self.labels.items():
            folder = self.data / "cyl_data"
            _write(folder / f"mask_crater_{crater_id}.tif", mask, self.grid, self.grid.whole)
            counts = [int(mask[self.window(t)].sum()) for t in self.tiles]
            path = folder / f"positions_crater_{crater_id}.csv"
            self._positions(counts).to_csv(path, index=False)

    def _write_pairs(self) -> pd.DataFrame:
        """Write all pairs; every third pair in reach is a test pair, and some of Kuiper's are unused."""
        reach = {0: 0.75, 12: 0.5, 17: 0.25}
        rows = []
        for crater_id, mask in self.labels.items():
            for tile_id, w in self.tiles.items():
                centre = self.grid.to_lonlat(w.col + w.width / 2, w.row + w.height / 2)
                crater = self.craters[crater_id]
                distance_m = float(distance(crater.lon, crater.lat, *centre, self.grid.radius_m))
                used = distance_m < reach[crater_id] * np.pi * self.grid.radius_m
                test = int(len(rows) % 3 == 0) if used else -1
                if crater_id == 17 and tile_id % 4 == 0:
                    test = -1
                count = int(mask[self.window(tile_id)].sum())
                rows.append((tile_id, crater_id, distance_m, count, 0, 0, test))
        columns = ["pos_index", "crat_FID", "distance", "num_1", "split_class", "test_7", "test_61"]
        table = pd.DataFrame(rows, columns=columns)
        (self.data / "conn_data").mkdir()
        table.to_csv(self.data / "conn_data" / "az_positions_all.csv", index=False)
        return table

    def _write_chips(self) -> None:
        folder = self.data / "conn_data" / "eval_positions"
        folder.mkdir()
        size = self.grid.height * 2
        corners = range(size // 2 - 32, size // 2 + 32, TILE_PX)
        rows = [(y, x, TILE_PX, TILE_PX, 1) for y in corners for x in corners]
        columns = ["y", "x", "height", "width", "train_intersect"]
        table = pd.DataFrame(rows, columns=columns)
        table.insert(0, "eval_pos_index", range(len(table)))
        for crater_id in self.labels:
            table.to_csv(folder / f"eval_positions_crater_{crater_id}.csv", index=False)

    def _write_manual(self) -> None:
        """Write the whole patterns of Debussy and Kuiper in their frames, by nearest neighbour."""
        size, pixel_m = 2 * self.grid.height, self.grid.pixel_m
        folder = self.data / "man_data"
        folder.mkdir()
        for crater_id, name in ((12, "DEBUSSY"), (17, "Kuiper")):
            crater = self.craters[crater_id]
            x_m = (np.arange(size) + 0.5 - size / 2) * pixel_m
            lon, lat = azimuthal_inverse(
                x_m[None, :], -x_m[:, None], crater.lon, crater.lat, self.grid.radius_m
            )
            col, row = self.grid.to_pixel(lon, lat)
            frame = self.whole[crater_id][np.minimum(row.astype(int), 127), col.astype(int)]
            frame &= np.hypot(x_m[None, :], x_m[:, None]) <= np.pi * self.grid.radius_m
            with rasterio.open(
                folder / f"az_manual_{name}.tif",
                "w",
                driver="GTiff",
                height=size,
                width=size,
                count=1,
                dtype="uint8",
                crs=azimuthal_crs(crater.lon, crater.lat, self.grid.radius_m).to_wkt(),
                transform=rasterio.Affine(
                    pixel_m, 0, -size / 2 * pixel_m, 0, -pixel_m, size / 2 * pixel_m
                ),
            ) as target:
                target.write(frame.astype(np.uint8), 1)

    def _write_published(self) -> dict[int, np.ndarray]:
        """Write cropped masks with errors: missing and extra pixels, a missing tile and an extra one."""
        name = "ejc-version-200_conn-version-32_test-set-61_x20"
        folder = self.results / "output_masks" / name
        published = {}
        rng = np.random.default_rng(0)
        for crater_id, truth in self.whole.items():
            mask = truth & (rng.random(truth.shape) > 0.2)
            crater = self.craters[crater_id]
            distance_m = distance(
                crater.lon, crater.lat, *self.grid.centres(self.grid.whole), self.grid.radius_m
            )
            mask |= (rng.random(truth.shape) > 0.9) & (distance_m < 2.5 * crater.radius_m)
            own = self.pairs[(self.pairs["crat_FID"] == crater_id) & (self.pairs["test_61"] >= 0)]
            with_ejecta = own[own["num_1"] > 0].sort_values("num_1")["pos_index"]
            for tile_id in with_ejecta.tolist()[: len(with_ejecta) // 3]:
                mask[self.window(tile_id)] = False
            for tile_id in own[own["num_1"] == 0]["pos_index"].tolist()[:1]:
                mask[self.window(tile_id)][4:6, 3:9] = True
            rows, cols = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
            height, width = (int(indices[-1] - indices[0]) + 1 for indices in (rows, cols))
            window = Window(int(rows[0]), int(cols[0]), height, width)
            part = mask[rows[0] : rows[0] + height, cols[0] : cols[0] + width]
            path = folder / f"cylindrical_mask_crater_{crater_id}.tif"
            _write(path, part, self.grid, window)
            published[crater_id] = mask
        return published

    def add_networks(self, prefix: str = "model.") -> dict[str, nn.Module]:
        """Write checkpoints of two connection networks and one segmentation network, and their tables."""
        torch.manual_seed(0)
        bands = self.mosaic.bands
        networks: dict[str, nn.Module] = {}
        for folder, kind, count in (("conn_results", "conn", 2), ("ejc_results", "ejc", 1)):
            version = self.results / folder / ("version_32" if kind == "conn" else "version_200")
            version.mkdir(parents=True)
            norm = np.stack([np.r_[np.full(bands, 90.0), 0.5], np.r_[np.full(bands, 40.0), 2.0]])
            np.save(version / "best-norm_test-set-61.npy", norm)
            for number in range(count):
                model = ReleasedConnection(bands) if kind == "conn" else ReleasedSegmentation(bands)
                networks[f"{kind}-{number}"] = model.eval()
                name = f"best-checkpoint_test-set-61_iteration-{number}.ckpt"
                save_checkpoint(version / name, model, prefix)
        pd.DataFrame(
            {"version": [32], "model_name": ["test_resnet"], "iter_threshold": [0.5]}
        ).to_csv(self.results / "connection_version_hparams.csv", index=False)
        columns: dict[str, list[Any]] = {
            "version": [200],
            "buffer_bounds": ["(2,5)"],
            "distance_mode": ["absolute"],
            "log_dist": [True],
            "model_name": ["Unet"],
            "accept_midinput": [True],
            "MDL_Unet_encoder_name": ["tu-test_resnet"],
        }
        path = self.results / "ejecta_version_hparams.csv"
        pd.DataFrame(columns).to_csv(path, index=False)
        return networks
