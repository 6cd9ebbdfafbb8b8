// The layers: titles, colours, and addresses of their map tiles.

/** In the order of the controls; `opacity` where it can be changed. */
export const LAYERS = [
  { key: "probability", title: "Probability", on: true, opacity: 0.75, hint: "of the chosen crater" },
  { key: "origin", title: "Ejecta of all craters", on: true, opacity: 0.6, hint: "one colour for each crater" },
  { key: "mask", title: "Mask", on: false, opacity: 0.6, hint: "of the chosen crater" },
  { key: "labels", title: "Labels", on: false, opacity: 0.9, hint: "of the chosen crater" },
  { key: "corrections", title: "Corrections", on: true, opacity: 0.9, hint: "made in this viewer" },
  { key: "tiles", title: "Labelled tiles", on: false, hint: "where labels are complete" },
  { key: "connections", title: "Connected chips", on: false, hint: "of the chosen crater" },
  { key: "rings", title: "Distance rings", on: true, hint: "3 and 10 radii, and the reach" },
  { key: "names", title: "Craters", on: true, hint: "rims and names" },
];

export const initialLayers = () =>
  Object.fromEntries(LAYERS.map(({ key, on, opacity }) => [key, { on, opacity: opacity ?? 1 }]));

/** Reason why a layer is empty at present; "" if it is not. */
export function emptyReason(key, planet, { crater, labels, corrections }) {
  if (key === "origin") return planet.origin ? "" : "nothing is mapped yet";
  if (key === "tiles") return labels.tiles.length ? "" : "the project lists no tiles";
  if (key === "names") return "";
  if (!crater) return "choose a crater";
  if (key === "labels") return labels.craters.includes(crater.id) ? "" : "this crater is not labelled";
  if (key === "corrections") {
    return corrections.some((tile) => tile.corrected_craters.includes(crater.id)) ? "" : "none for this crater yet";
  }
  if (key === "connections") return planet.views.includes("chip") ? "" : "the method has no chips";
  if (key === "rings") return "";
  return crater.map ? "" : "this crater is not mapped";
}

/** Address of a layer's map tiles, without /z/x/y.png, and their version; null if the layer is empty. */
export function tileSource(key, planet, values) {
  if (key === "mosaic") return { path: "/tiles/mosaic", version: planet.mosaic };
  if (emptyReason(key, planet, values)) return null;
  if (key === "origin") return { path: "/tiles/origin", version: planet.origin };
  const { id, map } = values.crater;
  if (key === "corrections") return { path: `/tiles/corrections/${id}`, version: values.correctedAt };
  return { path: `/tiles/${key}/${id}`, version: map ?? 0 };
}

export const tileAddress = ({ path, version }, z, x, y) => `${path}/${z}/${x}/${y}.png?v=${version}`;

/** Colours of probabilities: "plasma" of Matplotlib (van der Walt and Smith, CC0), as in the project's pictures. */
const PLASMA = [
  [13, 8, 135], [76, 2, 161], [126, 3, 168], [170, 35, 149], [204, 71, 120],
  [230, 108, 92], [248, 149, 64], [253, 197, 39], [240, 249, 33],
];

export const LABELLED = [0, 220, 255];
export const CORRECTED = [255, 90, 210];
export const INTERIOR_OPACITY = 0.2; // of the interior of a label

/** Stops for an interpolation in OpenLayers: 0, colour, 1/8, colour, ... */
export const plasmaStops = () => PLASMA.flatMap((colour, k) => [k / (PLASMA.length - 1), [...colour, 1]]);

/** 256 colours as bytes (RGBA). */
export function plasmaRamp() {
  const ramp = new Uint8Array(4 * 256);
  for (let k = 0; k < 256; k++) {
    const position = (k / 255) * (PLASMA.length - 1);
    const low = Math.min(Math.floor(position), PLASMA.length - 2);
    PLASMA[low].forEach((value, c) => {
      ramp[4 * k + c] = Math.round(value + (position - low) * (PLASMA[low + 1][c] - value));
    });
    ramp[4 * k + 3] = 255;
  }
  return ramp;
}
