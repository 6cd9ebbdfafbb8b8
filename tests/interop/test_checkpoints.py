"""Checkpoints of others: converted weight by weight, and never run."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from mini_release import MiniRelease
from rich.console import Console

from ejectamap.errors import ReleaseError
from ejectamap.interop import import_ejmap
from ejectamap.interop.checkpoints import fill, read_normalisation, read_weights
from ejectamap.interop.hyperparameters import read_version
from ejectamap.mapping import map_project, mapped_craters
from ejectamap.networks import build_segmentation
from ejectamap.networks.ensemble import Ensemble
from ejectamap.project import Project

CONNECTION = "conn_results/version_32/best-checkpoint_test-set-61_iteration-0.ckpt"
SEGMENTATION = "ejc_results/version_200/best-checkpoint_test-set-61_iteration-0.ckpt"


def bring(release: MiniRelease, folder: Path) -> tuple[Project, str]:
    console = Console(file=io.StringIO(), width=400)
    project = import_ejmap(release.data, folder, release.results, 61, console)
    return project, console.file.getvalue()  # type: ignore[attr-defined]


class Trap:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (self.command,)


@pytest.mark.parametrize("prefix", ["model.", "", "task.inner.net."])
def test_bundles_answer_as_their_networks_do(
    release: MiniRelease, tmp_path: Path, prefix: str
) -> None:
    made = release.add_networks(prefix)
    project, said = bring(release, tmp_path / "p")
    assert "imported" not in said
    bands, generator = release.mosaic.bands, torch.Generator().manual_seed(1)
    # What their networks see: raw bands and one more channel, less the offsets, over the divisors.
    corridors = 255 * torch.rand((2, bands + 1, 8, 32), generator=generator)
    offset = torch.tensor([90.0] * bands + [0.5])
    divisor = torch.tensor([40.0] * bands + [2.0])
    scale = torch.tensor([255.0] * bands + [1.0])
    ours = Ensemble.load(project.models / "connection", bands)
    assert len(ours) == 2
    found = ours.probabilities(corridors / scale[:, None, None])
    seen = (corridors - offset[:, None, None]) / divisor[:, None, None]
    with torch.inference_mode():
        for k in range(2):
            wanted = made[f"conn-{k}"](seen).sigmoid()
            torch.testing.assert_close(found[:, k], wanted, atol=1e-5, rtol=0)
    chips = 255 * torch.rand((2, bands + 1, 32, 32), generator=generator)
    about = 255 * torch.rand((2, bands + 1), generator=generator)
    ours = Ensemble.load(project.models / "segmentation", bands)
    found = ours.probabilities(chips / scale[:, None, None], about / scale)
    seen = (chips - offset[:, None, None]) / divisor[:, None, None]
    with torch.inference_mode():
        wanted = made["ejc-0"](seen, (about - offset) / divisor).sigmoid()
    torch.testing.assert_close(found[:, 0], wanted, atol=1e-5, rtol=0)
    assert ours.views["annulus_radii"] == [2.0, 5.0]
    assert ours.views["chip_px"] == 16
    assert ours.views["tile_m"] == pytest.approx(16 * release.grid.pixel_m)


def test_imported_networks_make_a_map(release: MiniRelease, tmp_path: Path) -> None:
    release.add_networks()
    project, _ = bring(release, tmp_path / "p")
    assert project.settings.method == "two-stage"
    assert project.settings.connection.architecture == "test_resnet"
    before = (project.maps / "crater_17_probability.tif").read_bytes()
    map_project(project, [17])
    assert (project.maps / "crater_17_probability.tif").read_bytes() != before
    assert len(mapped_craters(project)) == 4
    connections = pd.read_parquet(project.maps / "connections.parquet")
    assert set(connections["crater_id"]) == {17}


def test_hyperparameters_are_never_run(release: MiniRelease, tmp_path: Path) -> None:
    release.add_networks()
    path, sign = release.results / CONNECTION, tmp_path / "it-ran"
    content = torch.load(path, weights_only=True)
    content["hyper_parameters"] = {"model": Trap(f"touch {sign}")}
    torch.save(content, path)
    project, said = bring(release, tmp_path / "p")
    assert not sign.exists()
    assert "imported" not in said
    assert len(Ensemble.load(project.models / "connection", release.mosaic.bands)) == 2
    # The trap is a real one.
    torch.load(path, weights_only=False)
    assert sign.exists()


def test_a_damaged_checkpoint_costs_its_ensemble(release: MiniRelease, tmp_path: Path) -> None:
    release.add_networks()
    path = release.results / CONNECTION
    path.write_bytes(path.read_bytes()[:5000])
    project, said = bring(release, tmp_path / "p")
    (line,) = [line for line in said.splitlines() if str(path) in line]
    assert "is not a checkpoint" in line
    assert "no connection network was imported" in line
    # One of an ensemble missing would be another ensemble: none is taken; the other kind is.
    assert not (project.models / "connection").exists()
    assert (project.models / "segmentation" / "member-00").exists()


def test_damaged_checkpoints_are_named(tmp_path: Path) -> None:
    path = tmp_path / "best-checkpoint_x.ckpt"
    for content in (b"", b"nothing", b"PK\x03\x04 nothing"):
        path.write_bytes(content)
        with pytest.raises(ReleaseError, match=r"best-checkpoint_x\.ckpt: is"):
            read_weights(path)
    for value in ([1, 2], {"weights": {}}, {"state_dict": {}}, {"state_dict": {"a": 3}}):
        torch.save(value, path)
        with pytest.raises(ReleaseError, match="state_dict"):
            read_weights(path)


def small_network() -> torch.nn.Module:
    return build_segmentation("Unet", "tu-test_resnet", 4, 4, pretrained=False)


def their_weights() -> dict[str, torch.Tensor]:
    """A state dict as the release would have it, of our own network."""
    weights = {}
    for name, value in small_network().state_dict().items():
        part = name.removeprefix("network.").replace("segmentation_head", "head")
        level, _, rest = part.removeprefix("injections.").partition(".0.")
        is_injection = name.startswith("injections.")
        new = f"injector.linears.{int(level) - 1}.{rest}" if is_injection else part
        weights[f"model.{new}"] = value
    return weights


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: w.pop("model.head.0.bias"), "it lacks model.segmentation_head.0.bias"),
        (lambda w: w.update({"model.gate.weight": torch.zeros(2)}), "beside the network"),
        (lambda w: w.pop("model.injector.linears.2.weight"), "that add the metadata"),
        (lambda w: w.update({"model.head.0.bias": torch.zeros(7)}), r"is \(7,\), not \(1,\)"),
        (
            lambda w: w.update(
                {
                    "model.injector.linears.3.weight": w["model.injector.linears.0.weight"],
                    "model.injector.linears.0.weight": w["model.injector.linears.3.weight"],
                }
            ),
            "linears.0.weight is",
        ),
        (lambda w: w.clear(), "no weight called"),
        (
            lambda w: w.update({f"other.{k.removeprefix('model.')}": v for k, v in [*w.items()]}),
            "several weights called",
        ),
    ],
)
def test_what_does_not_fit_is_refused(change: Callable[[dict], Any], words: str) -> None:
    weights = their_weights()
    fill(small_network(), weights, Path("theirs.ckpt"))
    change(weights)
    with pytest.raises(ReleaseError, match=rf"theirs\.ckpt: does not fit: .*{words}"):
        fill(small_network(), weights, Path("theirs.ckpt"))


def test_normalisation_of_its_own_run_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "best-checkpoint_test-set-61_iteration-1.ckpt"
    with pytest.raises(ReleaseError, match=r"has no best-norm_test-set-61_iteration-1\.npy"):
        read_normalisation(path, 3)
    np.save(tmp_path / "best-norm_test-set-61_iteration-10.npy", np.full((2, 4), 7.0))
    np.save(tmp_path / "best-norm_test-set-61.npy", np.full((2, 4), 51.0))
    assert read_normalisation(path, 3).divisor == pytest.approx((0.2, 0.2, 0.2, 51))
    np.save(tmp_path / "best-norm_test-set-61_iteration-1.npy", np.full((2, 4), 25.5))
    assert read_normalisation(path, 3).offset == pytest.approx((0.1, 0.1, 0.1, 25.5))
    for bad in (np.zeros((2, 4)), np.ones((4, 2)), np.full((2, 4), np.nan)):
        np.save(tmp_path / "best-norm_test-set-61_iteration-1.npy", bad)
        with pytest.raises(ReleaseError, match="should be 2 x 4 numbers"):
            read_normalisation(path, 3)
    pickled = np.array([{"a": 1}], dtype=object)
    np.save(tmp_path / "best-norm_test-set-61_iteration-1.npy", pickled, allow_pickle=True)
    with pytest.raises(ReleaseError, match="is not an array of numbers"):
        read_normalisation(path, 3)


def test_versions_without_a_table_are_the_published_ones(tmp_path: Path) -> None:
    final = read_version("connection", 32, (tmp_path,))
    assert final.network(3) == {"architecture": "densenet169.tv_in1k", "in_channels": 4}
    final = read_version("segmentation", 200, (tmp_path,))
    assert final.network(3) == {
        "decoder": "UnetPlusPlus",
        "encoder": "resnet34",
        "in_channels": 4,
        "metadata_size": 4,
        "decoder_channels": None,
    }
    assert final.annulus_radii == (2.0, 5.0)
    with pytest.raises(ReleaseError, match=r"put ejecta_version_hparams\.csv beside the results"):
        read_version("segmentation", 3, (tmp_path,))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"distance_mode": "rank"}, "distance_mode is rank, only absolute"),
        ({"log_dist": False}, "log_dist is False, only True"),
        (
            {"MDL_Unet_decoder_attention_type": "scse"},
            "cannot be built with decoder_attention_type",
        ),
        ({"model_name": ""}, "has no model_name"),
    ],
)
def test_versions_that_are_built_otherwise(tmp_path: Path, row: dict, words: str) -> None:
    table = pd.DataFrame([{"version": 200, "model_name": "Unet"} | row])
    table.to_csv(tmp_path / "ejecta_version_hparams.csv", index=False)
    with pytest.raises(ReleaseError, match=words):
        read_version("segmentation", 200, (tmp_path,)).network(3)
    with pytest.raises(ReleaseError, match="has no version 7"):
        read_version("segmentation", 7, (tmp_path,))


def test_one_version_must_be_chosen(release: MiniRelease, tmp_path: Path) -> None:
    release.add_networks()
    folder = release.results / "conn_results"
    for number in (3, 4):
        (folder / f"version_{number}").mkdir()
        name = Path(CONNECTION).name
        (folder / f"version_{number}" / name).write_bytes(
            (release.results / CONNECTION).read_bytes()
        )
    (folder / "version_32").rename(folder / "version_x")
    for path in (folder / "version_x").iterdir():
        path.unlink()
    (folder / "version_x").rmdir()
    with pytest.raises(ReleaseError, match="holds versions 3, 4"):
        bring(release, tmp_path / "p")
