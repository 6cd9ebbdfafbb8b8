// Check boxes and sliders of the layers, and buttons of the views.

import { byId, make } from "./dom.js";
import { emptyReason, LAYERS, plasmaRamp } from "./layers.js";

const percent = (fraction) => `${Math.round(100 * fraction)} %`;

/** Make the controls of the layers and views. */
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

/** Control of the mosaic, which is always shown. Less saturation makes the colours of ejecta easier to see. */
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
    const reason = emptyReason(key, planet, values);
    box.checked = values.layers[key].on;
    note.textContent = reason || hint;
    group.classList.toggle("empty", reason !== "");
    sliders.hidden = !box.checked || reason !== "";
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

/** Colour scale of probabilities. */
function legend() {
  const canvas = make("canvas", { className: "legend", width: 256, height: 1 });
  const ramp = new ImageData(new Uint8ClampedArray(plasmaRamp()), 256, 1);
  canvas.getContext("2d").putImageData(ramp, 0, 0);
  const [low, high] = ["0", "1"].map((textContent) => make("span", { textContent }));
  const ends = make("div", { className: "ends dim" }, low, high);
  return make("div", { className: "key" }, canvas, ends);
}
