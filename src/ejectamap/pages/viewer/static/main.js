// Puts the page together.

import { makeBrush } from "./brush.js";
import { makeCatalogue } from "./catalogue.js";
import { makeControls } from "./controls.js";
import { ask, byId, complain, make, swatch } from "./dom.js";
import { initialLayers } from "./layers.js";
import { makeMap } from "./mapview.js";
import { makePlacePanel } from "./place.js";
import { makeStore } from "./store.js";

async function start() {
  const planet = await ask("/planet");
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
    votes: [],
    votesOf: null,
  });

  let globe = null;
  const choose = (crater) => {
    store.set({ crater });
    (store.get().view === "globe" ? globe : flat)?.flyTo(crater);
  };
  const showGlobe = async () => {
    const { makeGlobe } = await import("./globe.js"); // with a large library, which the flat map need not wait for
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
  window.viewer = { store, map: flat.map }; // for the browser's console
  const labels = await ask("/labels");
  if (labels) store.set({ labels });
  const corrections = await ask("/corrections");
  if (corrections) store.set({ corrections });
}

start().catch((error) => complain(error.message));
