// The planet's projections: plate carree in degrees, and polar stereographic in metres.

const RADIANS = Math.PI / 180;
const GLOBE = [-180, -90, 180, 90];

export const PLATE_CARREE = "planet:plate-carree";

/** Register the projections with OpenLayers. Returns their codes by view. */
export function registerProjections(radius_m) {
  const plateCarree = new ol.proj.Projection({
    code: PLATE_CARREE,
    units: "degrees",
    extent: GLOBE,
    worldExtent: GLOBE,
    global: true,
    metersPerUnit: radius_m * RADIANS,
    getPointResolution: (resolution, [, lat]) => resolution * Math.cos(lat * RADIANS),
  });
  ol.proj.addProjection(plateCarree);
  return {
    map: PLATE_CARREE,
    north: polar(plateCarree, "planet:north", radius_m, 1),
    south: polar(plateCarree, "planet:south", radius_m, -1),
  };
}

/** Stereographic projection of the hemisphere around a pole (1 north, -1 south); longitude 0 is down in the north, up in
 * the south. */
function polar(plateCarree, code, radius_m, pole) {
  const equator = 2 * radius_m;
  const projection = new ol.proj.Projection({
    code,
    units: "m",
    extent: [-equator, -equator, equator, equator],
    getPointResolution: (resolution, [x, y]) => resolution / (1 + (x * x + y * y) / (equator * equator)),
  });
  const forward = ([lon, lat]) => {
    const colatitude = Math.min(90 - pole * lat, 179.9); // the opposite pole is at infinity
    const r = equator * Math.tan((colatitude / 2) * RADIANS);
    return [r * Math.sin(lon * RADIANS), -pole * r * Math.cos(lon * RADIANS)];
  };
  const inverse = ([x, y]) => {
    const lat = pole * (90 - (2 * Math.atan(Math.hypot(x, y) / equator)) / RADIANS);
    return [Math.atan2(x, -pole * y) / RADIANS, lat];
  };
  ol.proj.addProjection(projection);
  ol.proj.addCoordinateTransforms(plateCarree, projection, forward, inverse);
  return code;
}
