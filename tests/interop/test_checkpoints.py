"""Conversion of the release's checkpoints, without running code in them."""

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
from ejectamap.interop.release.checkpoints import load_weights, read_normalisation, read_weights
from ejectamap.interop.release.ejmap import import_ejmap
from ejectamap.interop.release.hyperparameters import read_version
from ejectamap.mapping.run import map_project
from ejectamap.maps.mapped import mapped_craters
from ejectamap.maps.state import crater_path
from ejectamap.networks.ensemble import Ensemble
from ejectamap.networks.segmentation import build_segmentation
from ejectamap.project.bundle_views import ChipViews
from ejectamap.project.folder import Project

CONNECTION = "conn_results/version_32/best-checkpoint_test-set-61_iteration-0.ckpt"
SEGMENTATION = "ejc_results/version_200/best-checkpoint_test-set-61_iteration-0.ckpt"


def import_release(release: MiniRelease, folder: Path) -> tuple[Project, str]:
    console = Console(file=io.StringIO(), width=400)
    project = import_ejmap(release.data, folder, release.results, 61, console)
    return project, console.file.getvalue()  # type: ignore[attr-defined]


class Trap:
    """An object that runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (self.command,)


@pytest.mark.parametrize("prefix", ["model.", "", "task.inner.net."])
def test_bundles_predict_as_the_released_networks_do(
    release: MiniRelease, tmp_path: Path, prefix: str
) -> None:
    networks = release.add_networks(prefix)
    project, output = import_release(release, tmp_path / "p")
    assert "imported" not in output
    bands, generator = release.mosaic.bands, torch.Generator().manual_seed(1)
    # Inputs of the released networks: (raw bands and one more channel - offset) / divisor.
    corridors = 255 * torch.rand((2, bands + 1, 8, 32), generator=generator)
    offset = torch.tensor([90.0] * bands + [0.5])
    divisor = torch.tensor([40.0] * bands + [2.0])
    scale = torch.tensor([255.0] * bands + [1.0])
    ensemble = Ensemble.load(project.models / "connection", bands)
    assert len(ensemble) == 2
    probabilities = ensemble.probabilities(corridors / scale[:, None, None])
    inputs = (corridors - offset[:, None, None]) / divisor[:, None, None]
    with torch.inference_mode():
        for k in range(2):
            expected = networks[f"conn-{k}"](inputs).sigmoid()
            torch.testing.assert_close(probabilities[:, k], expected, atol=1e-5, rtol=0)
    chips = 255 * torch.rand((2, bands + 1, 32, 32), generator=generator)
    metadata = 255 * torch.rand((2, bands + 1), generator=generator)
    ensemble = Ensemble.load(project.models / "segmentation", bands)
    probabilities = ensemble.probabilities(chips / scale[:, None, None], metadata / scale)
    inputs = (chips - offset[:, None, None]) / divisor[:, None, None]
    with torch.inference_mode():
        expected = networks["ejc-0"](inputs, (metadata - offset) / divisor).sigmoid()
    torch.testing.assert_close(probabilities[:, 0], expected, atol=1e-5, rtol=0)
    views = ensemble.views.narrow(ChipViews)
    assert views.annulus_radii == (2.0, 5.0)
    assert views.chip_px == 16
    assert views.tile_m == pytest.approx(16 * release.grid.pixel_m)


def test_imported_networks_can_map(release: MiniRelease, tmp_path: Path) -> None:
    release.add_networks()
    project, _ = import_release(release, tmp_path / "p")
    assert project.settings.method == "two-stage"
    assert project.settings.connection.architecture == "test_resnet"
    path = crater_path(project.maps, 17, "probability")
    before = path.read_bytes()
    map_project(project, [17])
    assert path.read_bytes() != before
    assert len(mapped_craters(project)) == 4
    connections = pd.read_parquet(project.maps / "connections.parquet")
    assert set(connections["crater_id"]) == {17}


def test_code_in_hyperparameters_does_not_run(release: MiniRelease, tmp_path: Path) -> None:
    release.add_networks()
    path, marker = release.results / CONNECTION, tmp_path / "it-ran"
    content = torch.load(path, weights_only=True)
    content["hyper_parameters"] = {"model": Trap(f"touch {marker}")}
    torch.save(content, path)
    project, output = import_release(release, tmp_path / "p")
    assert not marker.exists()
    assert "imported" not in output
    assert len(Ensemble.load(project.models / "connection", release.mosaic.bands)) == 2
    # An ordinary unpickler runs it.
    torch.load(path, weights_only=False)
    assert marker.exists()


def test_a_damaged_checkpoint_leaves_out_its_ensemble(release: MiniRelease, tmp_path: Path) -> None:
    release.add_networks()
    path = release.results / CONNECTION
    path.write_bytes(path.read_bytes()[:5000])
    project, output = import_release(release, tmp_path / "p")
    (line,) = [line for line in output.splitlines() if str(path) in line]
    assert "is not a checkpoint" in line
    assert "no connection network was imported" in line
    # An incomplete ensemble would predict differently, so none of its members is imported; the other kind is.
    assert not (project.models / "connection").exists()
    assert (project.models / "segmentation" / "member-00").exists()


def test_names_damaged_checkpoints(tmp_path: Path) -> None:
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


def released_weights() -> dict[str, torch.Tensor]:
    """A state dict of our own network with the names of the release."""
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
def test_refuses_weights_that_do_not_fit(change: Callable[[dict], Any], words: str) -> None:
    weights = released_weights()
    load_weights(small_network(), weights, Path("released.ckpt"))
    change(weights)
    with pytest.raises(ReleaseError, match=rf"released\.ckpt: does not fit: .*{words}"):
        load_weights(small_network(), weights, Path("released.ckpt"))


def test_normalisation_of_the_own_run_is_preferred(tmp_path: Path) -> None:
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


def test_published_versions_need_no_table(tmp_path: Path) -> None:
    final = read_version("connection", 32, (tmp_path,))
    assert final.network_arguments(3) == {"architecture": "densenet169.tv_in1k", "in_channels": 4}
    final = read_version("segmentation", 200, (tmp_path,))
    assert final.network_arguments(3) == {
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
def test_refuses_unsupported_hyperparameters(tmp_path: Path, row: dict, words: str) -> None:
    table = pd.DataFrame([{"version": 200, "model_name": "Unet"} | row])
    table.to_csv(tmp_path / "ejecta_version_hparams.csv", index=False)
    with pytest.raises(ReleaseError, match=words):
        read_version("segmentation", 200, (tmp_path,)).network_arguments(3)
    with pytest.raises(ReleaseError, match="has no version 7"):
        read_version("segmentation", 7, (tmp_path,))


def test_refuses_several_unpublished_versions(release: MiniRelease, tmp_path: Path) -> None:
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
        import_release(release, tmp_path / "p")
