"""Whether the values of a mosaic can be measurements: enough pixels, some variation, no undeclared fill value."""

from collections.abc import Iterator, Sequence

from ejectamap.errors import MosaicError
from ejectamap.world.sphere import Array

_LEAST_PIXELS = 100
_FILL_SHARE = 0.001  # a value of fewer pixels may be an outlier of the measurements
_FILL_DISTANCE = 3.0  # from all other values, in units of their range
_ZERO_SHARE = 0.01


def check_values(path: object, band_names: Sequence[str], sample: Array) -> tuple[str, ...]:
    """Check a sample of a mosaic's pixels.

    Parameters
    ----------
    path : object
        The mosaic's, for messages.
    band_names : sequence of str
    sample : float64 array (n, band)
        Values of pixels with data, from all over the mosaic; all pixels, if there are few.

    Returns
    -------
    tuple of str
        What a person should know about them, one line each.

    Raises
    ------
    MosaicError
        If there are too few pixels, all have one value, or many have a value far from all others.
    """
    if len(sample) < _LEAST_PIXELS:
        raise MosaicError(
            f"{path}: only {len(sample)} pixels have data, too few for a map: check its no-data value with rio info,"
            " or give a larger mosaic"
        )
    is_constant = (sample == sample[0]).all(axis=0)
    if is_constant.all():
        values = ", ".join(f"{value:g}" for value in sample[0])
        raise MosaicError(
            f"{path}: every pixel with data has the value {values}, there is nothing to see: give the file whose pixels"
            " differ, or copy it again"
        )
    for name, values in zip(band_names, sample.T, strict=True):
        _refuse_fill(path, name, values)
    return tuple(_notes(path, band_names, sample, is_constant.tolist()))


def _refuse_fill(path: object, name: str, values: Array) -> None:
    """Raise an error if the smallest or the largest value of a band stands for missing data in all likelihood."""
    for level in (values.min(), values.max()):
        others = values[values != level]
        share = 1 - others.size / values.size
        if share < _FILL_SHARE or others.size == 0:
            continue
        low, high = others.min(), others.max()
        distance = min(abs(level - low), abs(level - high))
        if high > low and distance > _FILL_DISTANCE * (high - low):
            raise MosaicError(
                f"{path}: {name} has the value {level:g} in {share:.1%} of its pixels, far from all others"
                f" ({low:.4g} to {high:.4g}): it seems to stand for missing data; declare that with"
                f" rio edit-info --nodata={level:.17g} {path}, or gdal_edit.py -a_nodata"
            )


def _notes(
    path: object, band_names: Sequence[str], sample: Array, is_constant: Sequence[bool]
) -> Iterator[str]:
    for number, (name, constant) in enumerate(zip(band_names, is_constant, strict=True), start=1):
        if constant:
            others = " ".join(f"-b {k}" for k in range(1, len(band_names) + 1) if k != number)
            yield (
                f"{path}: {name} is {sample[0, number - 1]:g} everywhere and tells nothing: leave it out with"
                f" gdal_translate {others}"
            )
    zero = float((sample == 0).all(axis=1).mean())
    if zero >= _ZERO_SHARE and sample.min() == 0:
        yield (
            f"{path}: {zero:.1%} of the pixels with data are 0 in every band: if these have no data, declare that with"
            f" rio edit-info --nodata=0 {path}"
        )
