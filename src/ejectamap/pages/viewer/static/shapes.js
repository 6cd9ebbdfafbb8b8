// Lines of the flat map: rims and names, rings, tiles. Made in degrees, then brought into the view's projection.

import { ask, css } from "./dom.js";
import { whyEmpty } from "./layers.js";
import { CORRECTED } from "./palette.js";
import { PLATE_CARREE } from "./projections.js";
import { circle, destination } from "./sphere.js";

const RINGS = [[3, "3 radii"], [10, "10 radii"]];
const HALO = new ol.style.Stroke({ color: "rgb(0 0 0 / 0.75)", width: 3 });

/** Layers that follow the store; `redraw(projection)` when the view changes. */
export function shapeLayers(planet, store) {
  const drawn = {
    tiles: vectors(tileStyle),
    connections: vectors(connectionStyle),
    rings: vectors(ringStyle),
    names: vectors(craterStyle, true),
    corrections: vectors(() => CORRECTED_TILE),
    tile: vectors(() => CHOSEN_TILE),
    place: vectors(() => PLACE),
  };
  let projection = PLATE_CARREE;

  const fill = {
    tiles: ({ labels }) => labels.tiles.map((outline) => shape([outline], projection)),
    rings: ({ crater }) => (crater ? rings(crater, planet.radius_m, projection) : []),
    names: () => planet.craters.flatMap((crater) => rim(crater, planet.radius_m, projection)),
    corrections: ({ corrections }) => corrections.map(({ outline }) => shape([outline], projection)),
    tile: ({ tile }) => (tile ? [shape([tile.outline], projection)] : []),
    place: ({ place }) => (place ? [point(place, projection, {})] : []),
    connections: ({ votes }) =>
      votes.map((vote) => shape([vote.outline], projection, { connected: vote.connected })),
  };
  const refill = (key) => {
    const source = drawn[key].getSource();
    source.clear();
    source.addFeatures(fill[key](store.get()));
  };

  store.listen((values, changed) => {
    for (const [key, layer] of Object.entries(drawn)) layer.setVisible(values.layers[key]?.on ?? true);
    for (const key of ["place", "tile", "corrections"]) if (changed.has(key)) refill(key);
    if (changed.has("labels")) refill("tiles");
    if (changed.has("crater")) ["rings", "names"].forEach(refill);
    if (changed.has("votes")) refill("connections");
    if (changed.has("crater") || changed.has("layers")) loadVotes(planet, store);
  });
  const redraw = (code) => {
    projection = code;
    Object.keys(drawn).forEach(refill);
  };
  return { layers: Object.values(drawn), redraw };

  function craterStyle(feature) {
    const chosen = store.get().crater?.id === feature.get("crater").id;
    return nameStyle(feature, chosen);
  }
}

/** Ask for the votes on the chosen crater's chips, once they are to be shown. */
async function loadVotes(planet, store) {
  const { crater, layers, votesOf } = store.get();
  const wanted = layers.connections.on && !whyEmpty("connections", planet, store.get()) ? crater.id : null;
  if (wanted === votesOf) return;
  store.set({ votesOf: wanted, votes: [] });
  if (wanted === null) return;
  const votes = await ask(`/craters/${wanted}/connections`);
  if (store.get().votesOf === wanted) store.set({ votes: votes ?? [] });
}

function vectors(style, declutter = false) {
  return new ol.layer.Vector({ source: new ol.source.Vector({ wrapX: true }), style, declutter });
}

/** A feature of lines (lon, lat) in a projection; ground around the other pole is left out of a polar view. */
function shape(lines, projection, properties = {}) {
  const kept = lines.map((line) => line.map((place) => ol.proj.transform(place, PLATE_CARREE, projection)));
  return new ol.Feature({ geometry: new ol.geom.MultiLineString(kept), ...properties });
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
