// Vector layers of the flat map: rims and names, rings, tiles, chips. They are made in degrees, then projected.

import { css, fetchJson } from "./dom.js";
import { CORRECTED, emptyReason } from "./layers.js";
import { PLATE_CARREE } from "./projections.js";
import { circle, destination } from "./sphere.js";

const RINGS = [[3, "3 radii"], [10, "10 radii"]];
const HALO = new ol.style.Stroke({ color: "rgb(0 0 0 / 0.75)", width: 3 });

/** Make the layers, which are updated when the store changes. Returns also `redraw(projection)`, for a changed view. */
export function shapeLayers(planet, store) {
  const layers = {
    tiles: vectors(tileStyle),
    connections: vectors(connectionStyle),
    rings: vectors(ringStyle),
    names: vectors(craterStyle, true),
    corrections: vectors(() => CORRECTED_TILE),
    tile: vectors(() => CHOSEN_TILE),
    place: vectors(() => PLACE),
  };
  let projection = PLATE_CARREE;

  const makeFeatures = {
    tiles: ({ labels }) => labels.tiles.map((outline) => shape([outline], projection)),
    rings: ({ crater }) => (crater ? rings(crater, planet.radius_m, projection) : []),
    names: () => planet.craters.flatMap((crater) => rim(crater, planet.radius_m, projection)),
    corrections: ({ corrections }) => corrections.map(({ outline }) => shape([outline], projection)),
    tile: ({ tile }) => (tile ? [shape([tile.outline], projection)] : []),
    place: ({ place }) => (place ? [point(place, projection, {})] : []),
    connections: ({ chips }) =>
      chips.map((chip) => shape([chip.outline], projection, { connected: chip.connected })),
  };
  const update = (key) => {
    const source = layers[key].getSource();
    source.clear();
    source.addFeatures(makeFeatures[key](store.get()));
  };

  store.listen((values, changed) => {
    for (const [key, layer] of Object.entries(layers)) layer.setVisible(values.layers[key]?.on ?? true);
    for (const key of ["place", "tile", "corrections"]) if (changed.has(key)) update(key);
    if (changed.has("labels")) update("tiles");
    if (changed.has("crater")) ["rings", "names"].forEach(update);
    if (changed.has("chips")) update("connections");
    if (changed.has("crater") || changed.has("layers")) loadChips(planet, store);
  });
  const redraw = (code) => {
    projection = code;
    Object.keys(layers).forEach(update);
  };
  return { layers: Object.values(layers), redraw };

  function craterStyle(feature) {
    const chosen = store.get().crater?.id === feature.get("crater").id;
    return nameStyle(feature, chosen);
  }
}

/** Load the chosen crater's chips while their layer is on. */
async function loadChips(planet, store) {
  const { crater, layers, chipsOf } = store.get();
  const subject = layers.connections.on && !emptyReason("connections", planet, store.get()) ? crater.id : null;
  if (subject === chipsOf) return;
  store.set({ chipsOf: subject, chips: [] });
  if (subject === null) return;
  const chips = await fetchJson(`/craters/${subject}/connections`);
  if (store.get().chipsOf === subject) store.set({ chips: chips ?? [] });
}

function vectors(style, declutter = false) {
  return new ol.layer.Vector({ source: new ol.source.Vector({ wrapX: true }), style, declutter });
}

/** Make a feature of lines of places [lon, lat] in a projection. */
function shape(lines, projection, properties = {}) {
  const projected = lines.map((line) => line.map((place) => ol.proj.transform(place, PLATE_CARREE, projection)));
  return new ol.Feature({ geometry: new ol.geom.MultiLineString(projected), ...properties });
}

function point(place, projection, properties) {
  const at = ol.proj.transform(place, PLATE_CARREE, projection);
  return new ol.Feature({ geometry: new ol.geom.Point(at), ...properties });
}

function rim(crater, radius_m, projection) {
  const centre = [crater.lon, crater.lat];
  const line = circle(centre, crater.radius_m, radius_m, 60);
  return [shape([line], projection, { crater }), point(centre, projection, { crater })];
}

function rings(crater, radius_m, projection) {
  const centre = [crater.lon, crater.lat];
  const distances = RINGS.map(([radii, label]) => [radii * crater.radius_m, label]);
  return [...distances, [crater.reach_m, "reach"]].flatMap(([distance_m, label]) => [
    shape([circle(centre, distance_m, radius_m)], projection),
    point(destination(centre, 135, distance_m, radius_m), projection, { label }),
  ]);
}

function nameStyle(feature, chosen) {
  const { name, colour, map } = feature.get("crater");
  if (feature.getGeometry().getType() === "MultiLineString") {
    const stroke = new ol.style.Stroke({ color: chosen ? "white" : css(colour), width: chosen ? 2 : 1.2 });
    return [new ol.style.Style({ stroke: HALO }), new ol.style.Style({ stroke })];
  }
  const text = new ol.style.Text({
    text: name.length > 32 ? `${name.slice(0, 31)}…` : name,
    font: `${chosen || map ? 600 : 400} ${chosen ? 14 : 12}px system-ui, sans-serif`,
    offsetY: -14,
    fill: new ol.style.Fill({ color: chosen ? "white" : "rgb(255 255 255 / 0.85)" }),
    stroke: HALO,
  });
  const fill = new ol.style.Fill({ color: css(colour) });
  const image = new ol.style.Circle({ radius: chosen ? 4 : 2.5, fill, stroke: HALO });
  return new ol.style.Style({ text, image, zIndex: chosen ? 2 : 1 });
}

function ringStyle(feature) {
  if (feature.get("label")) {
    const text = new ol.style.Text({
      text: feature.get("label"),
      font: "11px system-ui, sans-serif",
      fill: new ol.style.Fill({ color: "white" }),
      stroke: HALO,
    });
    return new ol.style.Style({ text });
  }
  const dashes = new ol.style.Stroke({ color: "white", width: 1.2, lineDash: [5, 5] });
  return [new ol.style.Style({ stroke: HALO }), new ol.style.Style({ stroke: dashes })];
}

const PLACE = [4, 2].map((width, k) => {
  const stroke = new ol.style.Stroke({ color: ["black", "white"][k], width });
  return new ol.style.Style({ image: new ol.style.Circle({ radius: 7, stroke }) });
});
const line = (color, width) => new ol.style.Style({ stroke: new ol.style.Stroke({ color, width }) });
const tileStyle = line("rgb(0 184 212)", 1.2);
const CORRECTED_TILE = line(css(CORRECTED), 1.2);
const CHOSEN_TILE = [new ol.style.Style({ stroke: HALO }), line("white", 1.5)];
const CONNECTED = line("rgb(255 214 80)", 1.4);
const UNCONNECTED = line("rgb(255 255 255 / 0.18)", 0.8);
const connectionStyle = (feature) => (feature.get("connected") ? CONNECTED : UNCONNECTED);
