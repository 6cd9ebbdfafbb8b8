// The flat map, in plate carree and in polar projections.

import { byId } from "./dom.js";
import { PLATE_CARREE, registerProjections } from "./projections.js";
import { rasterLayers } from "./raster.js";
import { shapeLayers } from "./shapes.js";
import { formatPlace, wrapLon } from "./sphere.js";

/** Make the map; `pick(place)` is called for a clicked place. Returns the map, `show(view)` and `flyTo(crater)`. */
export function makeMap(planet, store, pick) {
  const codes = registerProjections(planet.radius_m);
  const shapes = shapeLayers(planet, store);
  const scale = new ol.control.ScaleLine({ minWidth: 90 });
  const map = new ol.Map({
    target: "map",
    layers: [...rasterLayers(planet, store), ...shapes.layers],
    controls: [new ol.control.Zoom(), scale],
  });
  const views = {};
  for (const name of Object.keys(codes)) views[name] = makeView(planet, codes[name]);
  let code = PLATE_CARREE;

  const placeOf = (coordinate) => {
    const [lon, lat] = ol.proj.transform(coordinate, code, PLATE_CARREE);
    return Math.abs(lat) <= 90 ? [wrapLon(lon), lat] : null;
  };
  map.on("pointermove", ({ coordinate, dragging }) => {
    const place = dragging ? null : placeOf(coordinate);
    byId("pointer").textContent = place ? formatPlace(place) : "";
  });
  map.on("singleclick", ({ coordinate }) => {
    const place = placeOf(coordinate);
    if (place) pick(place);
  });

  return {
    map,
    show(view) {
      code = codes[view];
      map.setView(views[view]);
      shapes.redraw(code);
      map.updateSize();
      if (!views[view].getCenter()) fit(map, views[view]);
    },
    flyTo(crater) {
      const centre = ol.proj.transform([crater.lon, crater.lat], PLATE_CARREE, code);
      const projection = map.getView().getProjection();
      const unit_m =
        code === PLATE_CARREE
          ? projection.getMetersPerUnit() // along a meridian: craters near a pole are wide in this projection
          : ol.proj.getPointResolution(projection, 1, centre, "m");
      const shown_m = Math.min(crater.reach_m, 14 * crater.radius_m);
      const resolution = (2 * shown_m) / Math.min(...map.getSize()) / unit_m;
      map.getView().animate({ center: nearest(centre, map, code), resolution, duration: 900 });
    },
  };
}

/** The copy of a place that is nearest to the centre of the view, for a short way across the dateline. */
function nearest([x, y], map, code) {
  if (code !== PLATE_CARREE) return [x, y];
  const [current] = map.getView().getCenter();
  return [x + 360 * Math.round((current - x) / 360), y];
}

function makeView(planet, code) {
  const flat = code === PLATE_CARREE;
  const [west, south, east, north] = ol.proj.get(code).getExtent();
  const finest = 180 / planet.tile_px / 2 ** planet.finest_zoom;
  const unit = flat ? 1 : (Math.PI * planet.radius_m) / 180;
  return new ol.View({
    projection: code,
    extent: flat ? [-Infinity, south - 5, Infinity, north + 5] : [west, south, east, north],
    constrainOnlyCenter: true,
    minResolution: (finest * unit) / 16,
    maxResolution: (1.2 * (east - west)) / 400,
    enableRotation: !flat,
  });
}

/** Fit the whole globe into the view, or a pole with latitudes above about 30 degrees. */
function fit(map, view) {
  const [width, height] = map.getSize();
  const [west, south, east, north] = view.getProjection().getExtent();
  const fraction = view.getProjection().getUnits() === "m" ? 0.58 : 1;
  view.setCenter([(west + east) / 2, (south + north) / 2]);
  view.setResolution(fraction * Math.max((east - west) / width, (north - south) / height));
}
