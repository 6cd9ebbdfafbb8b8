// The planet's own projections: plate carree in degrees, and the poles in stereographic metres.

const RADIANS = Math.PI / 180;
const GLOBE = [-180, -90, 180, 90];

export const PLATE_CARREE = "planet:plate-carree";

/** Make the projections known to OpenLayers; codes by view. */
export function registerProjections(radius_m) {
  const plain = new ol.proj.Projection({
    code: PLATE_CARREE,
    units: "degrees",
    extent: GLOBE,
    worldExtent: GLOBE,
    global: true,
    metersPerUnit: radius_m * RADIANS,
    getPointResolution: (resolution, [, lat]) => resolution * Math.cos(lat * RADIANS),
  });
  ol.proj.addProjection(plain);
  return {
    map: PLATE_CARREE,
    north: polar(plain, "planet:north", radius_m, 1),
    south: polar(plain, "planet:south", radius_m, -1),
  };
}

/** Stereographic about a pole (1 north, -1 south), out to the equator; longitude 0 is below in the north, above in the south. */
function polar(plain, code, radius_m, pole) {
  const rim = 2 * radius_m;
  const projection = new ol.proj.Projection({
    code,
    units: "m",
    extent: [-rim, -rim, rim, rim],
    getPointResolution: (resolution, [x, y]) => resolution / (1 + (x * x + y * y) / (rim * rim)),
  });
  const forward = ([lon, lat]) => {
    const colatitude = Math.min(90 - pole * lat, 179.9); // the other pole is infinitely far
    const r = rim * Math.tan((colatitude / 2) * RADIANS);
    return [r * Math.sin(lon * RADIANS), -pole * r * Math.cos(lon * RADIANS)];
  };
  const inverse = ([x, y]) => {
    const lat = pole * (90 - (2 * Math.atan(Math.hypot(x, y) / rim)) / RADIANS);
    return [Math.atan2(x, -pole * y) / RADIANS, lat];
  };
  ol.proj.addProjection(projection);
  ol.proj.addCoordinateTransforms(plain, projection, forward, inverse);
  return code;
}
