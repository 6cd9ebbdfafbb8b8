// Geometry on the sphere: places [lon, lat] in degrees, lengths in metres; and their formats.

const RADIANS = Math.PI / 180;

/** Place at a bearing and distance from another, along a great circle; its longitude is not wrapped. */
export function destination([lon, lat], bearing_deg, distance_m, radius_m) {
  const [bearing, d, phi] = [bearing_deg * RADIANS, distance_m / radius_m, lat * RADIANS];
  const sinLat = Math.sin(phi) * Math.cos(d) + Math.cos(phi) * Math.sin(d) * Math.cos(bearing);
  const east = Math.sin(bearing) * Math.sin(d) * Math.cos(phi);
  const turn = Math.atan2(east, Math.cos(d) - Math.sin(phi) * sinLat);
  return [lon + turn / RADIANS, Math.asin(Math.max(-1, Math.min(1, sinLat))) / RADIANS];
}

/** Circle around a place, as a line of places with continuous longitudes. */
export function circle(centre, distance_m, radius_m, points = 180) {
  const line = [];
  for (let k = 0; k <= points; k++) {
    const [lon, lat] = destination(centre, (360 * k) / points, distance_m, radius_m);
    const previous = k ? line[k - 1][0] : lon;
    line.push([lon + 360 * Math.round((previous - lon) / 360), lat]);
  }
  return line;
}

/** Longitude in [-180, 180). */
export const wrapLon = (lon) => ((((lon + 180) % 360) + 360) % 360) - 180;

/** Point [x, y, z] of the unit sphere: the x axis points to longitude 0, the y axis to the north pole. */
export function toVector([lon, lat]) {
  const [lam, phi] = [lon * RADIANS, lat * RADIANS];
  return [Math.cos(phi) * Math.cos(lam), Math.sin(phi), -Math.cos(phi) * Math.sin(lam)];
}

/** Place of a vector: the inverse of `toVector`. */
export function toLonLat([x, y, z]) {
  return [Math.atan2(-z, x) / RADIANS, Math.atan2(y, Math.hypot(x, z)) / RADIANS];
}

/** A place as text: 12.34° N, 56.78° W. */
export function formatPlace([lon, lat]) {
  const west = wrapLon(lon);
  const [ns, ew] = [lat < 0 ? "S" : "N", west < 0 ? "W" : "E"];
  return `${Math.abs(lat).toFixed(2)}° ${ns}, ${Math.abs(west).toFixed(2)}° ${ew}`;
}

/** A length as text: 340 m, 12.3 km, 1,234 km. */
export function formatLength(length_m) {
  if (length_m < 1000) return `${length_m.toFixed(0)} m`;
  const km = length_m / 1000;
  return `${km < 100 ? km.toFixed(1) : Math.round(km).toLocaleString("en-GB")} km`;
}
