"""Calibrate a context network that was just trained, on the craters that were held out of its training."""

from dataclasses import asdict, replace

import numpy as np
import torch

from ejectamap.networks.bundle import Bundle
from ejectamap.networks.ensemble import Ensemble
from ejectamap.training.calibration import LabelledCells, refit_calibration
from ejectamap.training.polar_data import PolarDataset


def recalibrate(bundle: Bundle, held_out: PolarDataset, threshold: float) -> Bundle:
    """Fit a network's calibration again to held-out labels where that is better; see `refit_calibration`.

    Parameters
    ----------
    bundle : Bundle
        Of a context network, with the calibration of the network that its training started from, if any.
    held_out : PolarDataset
        Without augmentation; may be empty.
    threshold : float
        Probability above which masks hold ejecta.

    Returns
    -------
    Bundle
        With `calibration` in the summary of its training: what was done and why, the number of held-out craters, and
        the log loss before and after.
    """
    networks = Ensemble((replace(bundle, model=bundle.model.cpu().eval()),))
    craters = [_labelled_cells(networks, held_out, k) for k in range(len(held_out))]
    refit = refit_calibration(bundle.calibration, craters, threshold)
    summary = {"outcome": refit.reason, "craters": refit.craters}
    if not np.isnan(refit.log_loss):
        summary |= {"log_loss": refit.log_loss, "log_loss_before": refit.log_loss_before}
    changes: dict[str, object] = {
        "training": bundle.description.training | {"calibration": summary}
    }
    if refit.calibration is not None:
        changes["calibration"] = asdict(refit.calibration)
    return replace(bundle, description=bundle.description.model_copy(update=changes))


def _labelled_cells(networks: Ensemble, held_out: PolarDataset, index: int) -> LabelledCells:
    """Labelled cells of a held-out crater beyond its rim, predicted as `PolarPredictor` does without calibration."""
    sample, view = held_out[0, index], held_out.view(index)
    inputs = sample["inputs"]
    (direct,), (mirrored,) = networks.probabilities(torch.stack([inputs, inputs.flip(-1)]))
    range_radii = view.row_ranges_m()[:, None] / view.crater.radius_m
    values = (
        ((direct + mirrored.flip(-1)) / 2).double().numpy(),
        range_radii,
        sample["target"].numpy() > 0,
        view.cell_area_m2(),
    )
    known = (sample["mask"].numpy() > 0) & (range_radii > 1)
    return LabelledCells(*(np.broadcast_to(value, view.shape)[known] for value in values))
