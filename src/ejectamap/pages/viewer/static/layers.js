// The layers there are, and where their tiles come from.

/** In the order of the list; `opacity` where it can be chosen. */
export const LAYERS = [
  { key: "probability", title: "Probability", on: true, opacity: 0.75, hint: "of the chosen crater" },
  { key: "origin", title: "Ejecta of all craters", on: true, opacity: 0.6, hint: "one colour a crater" },
  { key: "mask", title: "Mask", on: false, opacity: 0.6, hint: "of the chosen crater" },
  { key: "labels", title: "Labels", on: false, opacity: 0.9, hint: "of the chosen crater" },
  { key: "corrections", title: "Corrections", on: true, opacity: 0.9, hint: "made by hand here" },
  { key: "tiles", title: "Labelled tiles", on: false, hint: "where labels are complete" },
  { key: "connections", title: "Connected tiles", on: false, hint: "of the chosen crater" },
  { key: "rings", title: "Distance rings", on: true, hint: "3 and 10 radii, and the reach" },
  { key: "names", title: "Craters", on: true, hint: "rims and names" },
];

export const initialLayers = () =>
  Object.fromEntries(LAYERS.map(({ key, on, opacity }) => [key, { on, opacity: opacity ?? 1 }]));

/** Why a layer can show nothing now; empty if it can. */
export function whyEmpty(key, planet, { crater, labels, corrections }) {
  if (key === "origin") return planet.origin ? "" : "nothing is mapped yet";
  if (key === "tiles") return labels.tiles.length ? "" : "the project names no tiles";
  if (key === "names") return "";
  if (!crater) return "choose a crater";
  if (key === "labels") return labels.craters.includes(crater.id) ? "" : "this crater is not labelled";
  if (key === "corrections") {
    return corrections.some((tile) => crater.id in tile.ejecta_px) ? "" : "none of this crater yet";
  }
  if (key === "connections") return planet.views.includes("chip") ? "" : "the method has no tiles";
  if (key === "rings") return "";
  return crater.map ? "" : "this crater is not mapped";
}

/** Address of a layer's tiles up to /z/x/y.png, and its version; null if it has none now. */
export function tilesOf(key, planet, values) {
  if (key === "mosaic") return { path: "/tiles/mosaic", version: planet.mosaic };
  if (whyEmpty(key, planet, values)) return null;
  if (key === "origin") return { path: "/tiles/origin", version: planet.origin };
  const { id, map } = values.crater;
  if (key === "corrections") return { path: `/tiles/corrections/${id}`, version: values.correctedAt };
  return { path: `/tiles/${key}/${id}`, version: map ?? 0 };
}

export const tileAddress = ({ path, version }, z, x, y) => `${path}/${z}/${x}/${y}.png?v=${version}`;
