// Colours of probabilities: "plasma" of Matplotlib (van der Walt and Smith, CC0), as in the project's pictures.

export const PLASMA = [
  [13, 8, 135], [76, 2, 161], [126, 3, 168], [170, 35, 149], [204, 71, 120],
  [230, 108, 92], [248, 149, 64], [253, 197, 39], [240, 249, 33],
];

export const LABELLED = [0, 220, 255];
export const CORRECTED = [255, 90, 210];
export const WITHIN = 0.2; // opacity within an outline

/** Stops for an expression of OpenLayers: 0, colour, 1/8, colour, ... */
export const plasmaStops = () => PLASMA.flatMap((colour, k) => [k / (PLASMA.length - 1), [...colour, 1]]);

/** 256 colours, RGBA, as bytes. */
export function plasmaRamp() {
  const ramp = new Uint8Array(4 * 256);
  for (let k = 0; k < 256; k++) {
    const at = (k / 255) * (PLASMA.length - 1);
    const low = Math.min(Math.floor(at), PLASMA.length - 2);
    PLASMA[low].forEach((part, c) => {
      ramp[4 * k + c] = Math.round(part + (at - low) * (PLASMA[low + 1][c] - part));
    });
    ramp[4 * k + 3] = 255;
  }
  return ramp;
}
