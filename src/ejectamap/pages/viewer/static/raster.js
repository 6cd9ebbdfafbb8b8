// Raster layers of the flat map. Map tiles are coloured in the browser, so that a new threshold needs no request.

import { CORRECTED, INTERIOR_OPACITY, LABELLED, plasmaStops, tileAddress, tileSource } from "./layers.js";
import { PLATE_CARREE } from "./projections.js";

const VALUE = ["band", 1]; // 0 to 1 for a byte of 0 to 255
const IF_SET = ["case", [">", VALUE, 0.5]];
const CLEAR = [0, 0, 0, 0];

const STYLES = {
  mosaic: ({ saturation }) => ({ variables: { saturation: saturation - 1 }, saturation: ["var", "saturation"] }),
  origin: () => ({}),
  probability: ({ threshold }, { probability_steps: steps }) => ({
    variables: { threshold },
    color: [
      "case",
      ["any", [">", VALUE, (steps + 0.5) / 255], ["<", VALUE, 0.5 / 255]], // unknown, or 0
      CLEAR,
      ["<=", ["*", VALUE, 255 / steps], ["var", "threshold"]],
      CLEAR,
      ["interpolate", ["linear"], ["*", VALUE, 255 / steps], ...plasmaStops()],
    ],
  }),
  mask: ({ crater }) => ({ color: [...IF_SET, [...(crater?.colour ?? [255, 255, 255]), 1], CLEAR] }),
  labels: () => labelStyle(LABELLED),
  corrections: () => labelStyle(CORRECTED),
};

const labelStyle = (colour) => ({
  color: ["case", [">", VALUE, 0.9], [...colour, 1], [">", VALUE, 0.1], [...colour, INTERIOR_OPACITY], CLEAR],
});

/** Make the layers, lowest first; they are updated when the store changes. */
export function rasterLayers(planet, store) {
  const grid = tileGrid(planet);
  const layers = Object.keys(STYLES).map((key) => {
    const layer = new ol.layer.WebGLTile({
      style: STYLES[key](store.get(), planet),
      cacheSize: 256,
      preload: key === "mosaic" ? 2 : 0,
    });
    layer.set("key", key);
    return layer;
  });
  store.listen((values, changed) => {
    for (const layer of layers) update(layer, planet, grid, values, changed);
  });
  return layers;
}

function update(layer, planet, grid, values, changed) {
  const key = layer.get("key");
  const tiles = tileSource(key, planet, values);
  const address = tiles && `${tiles.path} ${tiles.version}`;
  if (layer.get("address") !== address) {
    layer.set("address", address);
    layer.setSource(tiles && source(tiles, grid, key));
    if (key === "mask") layer.setStyle(STYLES.mask(values));
  }
  if (key === "mosaic") {
    layer.updateStyleVariables({ saturation: values.saturation - 1 });
    return;
  }
  layer.setVisible(values.layers[key].on && tiles !== null);
  layer.setOpacity(values.layers[key].opacity);
  if (key === "probability" && changed.has("threshold")) {
    layer.updateStyleVariables({ threshold: values.threshold });
  }
}

function source(tiles, tileGrid, key) {
  return new ol.source.ImageTile({
    url: (z, x, y) => tileAddress(tiles, z, x, y),
    projection: PLATE_CARREE,
    tileGrid,
    wrapX: true,
    interpolate: key === "mosaic", // stored values must not be mixed with no-data
    transition: 0,
  });
}

function tileGrid(planet) {
  const extent = [-180, -90, 180, 90];
  const resolutions = [];
  for (let z = 0; z <= planet.finest_zoom; z++) resolutions.push(180 / planet.tile_px / 2 ** z);
  return new ol.tilegrid.TileGrid({ extent, origin: [-180, 90], resolutions, tileSize: planet.tile_px });
}
