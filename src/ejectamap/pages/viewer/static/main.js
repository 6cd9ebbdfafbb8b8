// Starts the page: loads the planet, and connects the parts of the page by a store of the user's choices.

import { makeBrush } from "./brush.js";
import { makeCatalogue } from "./catalogue.js";
import { makeControls } from "./controls.js";
import { byId, fetchJson, make, showError, swatch } from "./dom.js";
import { initialLayers } from "./layers.js";
import { makeMap } from "./mapview.js";
import { makePlacePanel } from "./place.js";

async function start() {
  const planet = await fetchJson("/planet");
  if (!planet) return;
  byId("planet-name").textContent = planet.name;
  document.title = `${planet.name} – ejectamap`;
  const store = makeStore({
    view: "map",
    crater: null,
    place: null,
    threshold: planet.threshold,
    saturation: 1,
    layers: initialLayers(),
    labels: { craters: [], tiles: [] },
    correcting: false,
    corrections: [],
    correctedAt: Date.now(),
    tile: null,
    chips: [],
    chipsOf: null,
  });

  let globe = null;
  const choose = (crater) => {
    store.set({ crater });
    (store.get().view === "globe" ? globe : flat)?.flyTo(crater);
  };
  const showGlobe = async () => {
    const { makeGlobe } = await import("./globe.js"); // loaded when needed: it imports a large library
    globe ??= makeGlobe(planet, store, showPlace);
    globe.show();
  };
  const showPlace = makePlacePanel(planet, store, choose);
  const pick = (place) => (store.get().correcting ? brush.select(place) : showPlace(place));
  const flat = makeMap(planet, store, pick);
  const brush = makeBrush(planet, store, flat.map);
  makeControls(planet, store);
  makeCatalogue(planet, store, choose);
  store.listen(({ crater }, changed) => {
    if (!changed.has("crater")) return;
    const name = crater && make("span", { textContent: crater.name });
    byId("current").replaceChildren(...(crater ? [swatch(crater.colour), name] : []));
  });
  store.listen(({ view }, changed) => {
    if (!changed.has("view")) return;
    byId("map").hidden = view === "globe";
    byId("globe").hidden = byId("globe-names").hidden = view !== "globe";
    byId("pointer").textContent = "";
    if (view === "globe") showGlobe();
    else flat.show(view);
  });
  window.viewer = { store, map: flat.map }; // for the browser's console and tests
  const labels = await fetchJson("/labels");
  if (labels) store.set({ labels });
  const corrections = await fetchJson("/corrections");
  if (corrections) store.set({ corrections });
}

/** Values that the user can change; listeners are called with all values and the names of those that changed. */
function makeStore(values) {
  const listeners = [];
  return {
    get: () => values,
    listen(listener) {
      listeners.push(listener);
      listener(values, new Set(Object.keys(values)));
    },
    set(changes) {
      const changed = Object.keys(changes).filter((name) => values[name] !== changes[name]);
      values = { ...values, ...changes };
      if (changed.length) listeners.forEach((listener) => listener(values, new Set(changed)));
    },
    /** Change a layer's `on` or `opacity`. */
    setLayer(key, changes) {
      const layer = { ...values.layers[key], ...changes };
      this.set({ layers: { ...values.layers, [key]: layer } });
    },
  };
}

start().catch((error) => showError(error.message));
