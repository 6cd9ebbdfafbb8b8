// Switches and sliders of the layers, and the choice of the view.

import { byId, make } from "./dom.js";
import { LAYERS, whyEmpty } from "./layers.js";
import { plasmaRamp } from "./palette.js";

const percent = (share) => `${Math.round(100 * share)} %`;

/** Build the layers' controls. */
export function makeControls(planet, store) {
  const controls = LAYERS.map((layer) => control(layer, planet, store));
  byId("layers").append(make("h2", { textContent: "Layers" }), ...controls, mosaicControl(store));
  for (const button of document.querySelectorAll("[data-view]")) {
    button.addEventListener("click", () => store.set({ view: button.dataset.view }));
  }
  store.listen(({ view }) => {
    for (const button of document.querySelectorAll("[data-view]")) {
      button.setAttribute("aria-checked", String(button.dataset.view === view));
    }
  });
}

/** The mosaic is always there; its colours can be taken back, so that those of the ejecta stand out. */
function mosaicControl(store) {
  const sliders = make("div", { className: "sliders" }, ...valueSlider("Colour", "saturation", store));
  return make("div", { className: "layer" }, make("span"), make("span", { textContent: "Mosaic" }), sliders);
}

function control({ key, title, hint, opacity }, planet, store) {
  const box = make("input", { type: "checkbox", id: `layer-${key}` });
  box.addEventListener("change", () => store.setLayer(key, { on: box.checked }));
  const note = make("span", { className: "dim", textContent: hint });
  const label = make("label", { htmlFor: box.id }, title, note);
  const group = make("div", { className: "layer" }, box, label);
  const sliders = make("div", { className: "sliders" });
  if (opacity !== undefined) sliders.append(...opacitySlider(key, store));
  if (key === "probability") sliders.append(...valueSlider("Above", "threshold", store), legend());
  group.append(sliders);

  store.listen((values) => {
    const why = whyEmpty(key, planet, values);
    box.checked = values.layers[key].on;
    note.textContent = why || hint;
    group.classList.toggle("empty", why !== "");
    sliders.hidden = !box.checked || why !== "";
  });
  return group;
}

function opacitySlider(key, store) {
  const get = () => store.get().layers[key].opacity;
  return slider("Opacity", `opacity-${key}`, get, (opacity) => store.setLayer(key, { opacity }), store);
}

function valueSlider(title, name, store) {
  return slider(title, name, () => store.get()[name], (value) => store.set({ [name]: value }), store);
}

function slider(title, id, get, set, store) {
  const range = make("input", { type: "range", id, min: 0, max: 1, step: 0.01 });
  const output = make("output", { htmlFor: id });
  range.addEventListener("input", () => set(Number(range.value)));
  store.listen(() => {
    range.value = get();
    output.textContent = percent(get());
  });
  return [make("label", { htmlFor: id, textContent: title }), range, output];
}

/** The colours of probabilities. */
function legend() {
  const canvas = make("canvas", { className: "legend", width: 256, height: 1 });
  const ramp = new ImageData(new Uint8ClampedArray(plasmaRamp()), 256, 1);
  canvas.getContext("2d").putImageData(ramp, 0, 0);
  const [low, high] = ["0", "1"].map((textContent) => make("span", { textContent }));
  const ends = make("div", { className: "ends dim" }, low, high);
  return make("div", { className: "key" }, canvas, ends);
}
