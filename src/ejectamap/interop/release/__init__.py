"""The published release EJMAP (Lissoni et al. 2026, DOI 10.5281/zenodo.18787894), read as a project.

`data` and `results` read the release's two folders; `ejmap` makes a project of both. `checkpoints` and `pickles`
convert its trained networks and need PyTorch; they are imported only where there are checkpoints to convert.
"""
