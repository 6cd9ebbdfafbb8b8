// Raster layers of the flat map: tiles coloured in the browser, so that a threshold needs no request.

import { CORRECTED, LABELLED, plasmaStops, WITHIN } from "./palette.js";
import { PLATE_CARREE } from "./projections.js";
import { tileAddress, tilesOf } from "./layers.js";

const VALUE = ["band", 1]; // 0 to 1 for a byte of 0 to 255
const SOLID = ["case", [">", VALUE, 0.5]];
const CLEAR = [0, 0, 0, 0];

const STYLES = {
  mosaic: ({ saturation }) => ({ variables: { saturation: saturation - 1 }, saturation: ["var", "saturation"] }),
  origin: () => ({}),
  probability: ({ threshold }) => ({
    variables: { threshold },
    color: [
      "case",
      ["any", [">", VALUE, 250.5 / 255], ["<", VALUE, 0.5 / 255]],
      CLEAR,
      ["<=", ["*", VALUE, 255 / 250], ["var", "threshold"]],
      CLEAR,
      ["interpolate", ["linear"], ["*", VALUE, 255 / 250], ...plasmaStops()],
    ],
  }),
  mask: ({ crater }) => ({ color: [...SOLID, [...(crater?.colour ?? [255, 255, 255]), 1], CLEAR] }),
  labels: () => outlined(LABELLED),
  corrections: () => outlined(CORRECTED),
};

const outlined = (colour) => ({
  color: ["case", [">", VALUE, 0.9], [...colour, 1], [">", VALUE, 0.1], [...colour, WITHIN], CLEAR],
});

/** The layers, lowest first, that follow the store. */
export function rasterLayers(planet, store) {
  const grid = tileGrid(planet);
  const layers = Object.keys(STYLES).map((key) => {
    const layer = new ol.layer.WebGLTile({
      style: STYLES[key](store.get()),
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
  const tiles = tilesOf(key, planet, values);
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
    interpolate: key === "mosaic", // a value between known and unknown would be a lie
    transition: 0,
  });
}

function tileGrid(planet) {
  const extent = [-180, -90, 180, 90];
  const resolutions = [];
  for (let z = 0; z <= planet.finest_zoom; z++) resolutions.push(180 / planet.tile_px / 2 ** z);
  return new ol.tilegrid.TileGrid({ extent, origin: [-180, 90], resolutions, tileSize: planet.tile_px });
}
