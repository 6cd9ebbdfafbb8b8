"""A map in a notebook: from a planet to its arrays, polygons, spectra, rays and figures of merit.

Every step is one or two lines. The planet is simulated, so that the script needs no data; on a project of your own,
begin with `project = em.Project.open("mercury")`. It takes 40 s on a core.
"""

# %% Open: a planet to try things on, and a project of it.
import ejectamap as em

planet = em.simulate("planet", seed=3, width=512, craters=8)
project = em.Project.create(
    "project", planet / "mosaic.tif", planet / "craters.csv", planet / "labels"
)

# %% Map every crater's ejecta, with the networks that come with the program. `train(project)` makes better ones.
ejecta = em.map(project)

# %% Crater 3's probability over the mosaic, both in the mosaic's CRS.
ax = em.read_mosaic(project)[0].plot.imshow(cmap="gray", figsize=(11, 5.5), add_colorbar=False).axes
probability = ejecta.probability(3)
ax.set(autoscale_on=False, aspect="equal")  # the whole planet stays in view
probability.where(probability > 0.1).plot.imshow(ax=ax, alpha=0.6, cmap="plasma")
ax.set(title="Ejecta of crater 3")
ax.figure.savefig("crater-3.png")
print(probability.rio.crs)

# %% All outlines as a GeoPackage.
ejecta.polygons().to_file("ejecta.gpkg")

# %% Means of the bands inside crater 3's ejecta, where no other crater has any.
print(ejecta.spectra(3))

# %% Lengths of all rays.
em.analyze(project)
ax = ejecta.rays()[["length_km"]].plot.hist(bins=20, xlabel="length of a ray, km", legend=False)
ax.figure.savefig("ray-lengths.png")

# %% How good the map is.
print(em.evaluate(project).to_frame())
