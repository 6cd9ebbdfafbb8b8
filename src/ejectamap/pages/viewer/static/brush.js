// Toolbar for corrections: accept, reject, paint or erase a crater's ejecta in a tile. Changes are saved immediately.

import { byId, css, fetchJson, make } from "./dom.js";
import { CORRECTED } from "./layers.js";

const ADVICE = "A corrected tile counts as labelled for the craters that were corrected or accepted in it.";
const ACTIONS = [
  ["accept", "Accept", "The map of this crater is correct in the tile"],
  ["reject", "Reject", "This crater has no ejecta in the tile"],
];
const TOOLS = [
  ["choose", "Tile", "Click on the map to choose a tile"],
  ["paint", "Paint", "Paint ejecta of this crater in the tile"],
  ["erase", "Erase", "Erase ejecta of this crater in the tile"],
];

/** Make the toolbar. Returns `select(place)`, which chooses the tile at a place. */
export function makeBrush(planet, store, map) {
  const bar = byId("brush");
  const title = make("strong");
  const state = make("span", { className: "dim" });
  const actions = ACTIONS.map(([action, text, title]) => button(text, title, () => change({ action })));
  const tools = TOOLS.map(([name, text, title]) => {
    return Object.assign(button(text, title, () => use(name)), { value: name });
  });
  const radius = make("input", { type: "range", min: 1, max: 40, value: 6 });
  radius.title = "Radius of the brush, in pixels of the mosaic";
  radius.setAttribute("aria-label", "Brush");
  const undoButton = button("Undo", "Undo the last change", undo);
  const group = (...children) => make("div", { className: "group" }, ...children);
  bar.append(
    make("div", { className: "about" }, title, state),
    make("div", { className: "row" }, group(...actions), group(...tools), radius, undoButton),
    make("p", { className: "dim", textContent: ADVICE }),
  );

  const pen = new ol.interaction.Draw({ type: "LineString", freehand: true, style: () => stroke() });
  pen.on("drawend", ({ feature }) => {
    const line = feature.getGeometry().getCoordinates();
    change({ action: tool, line, radius_px: Number(radius.value) });
  });
  pen.setActive(false);
  map.addInteraction(pen);
  let tool = "choose";
  use(tool);

  byId("correct").addEventListener("click", () => {
    const correcting = !store.get().correcting;
    store.set({ correcting, tile: null });
    use("choose");
    if (correcting) select(map.getView().getCenter());
  });
  document.addEventListener("keydown", (event) => {
    if (store.get().correcting && event.key === "z" && (event.ctrlKey || event.metaKey)) undo();
  });
  store.listen(({ correcting, crater, tile, view }) => {
    const active = correcting && view === "map";
    bar.hidden = !active;
    byId("correct").hidden = view !== "map";
    byId("correct").setAttribute("aria-pressed", String(correcting));
    pen.setActive(active && tool !== "choose" && Boolean(crater && tile));
    for (const control of [...actions, ...tools.slice(1)]) control.disabled = !crater || !tile;
    undoButton.disabled = !tile?.undo;
    title.textContent = crater ? crater.name : "Choose a crater";
    state.textContent = tile ? describeTile(tile, crater) : "";
  });
  return { select };

  function use(name) {
    tool = name;
    for (const control of tools) control.setAttribute("aria-pressed", String(control.value === name));
    const { crater, tile, correcting } = store.get();
    pen.setActive(correcting && name !== "choose" && Boolean(crater && tile));
    map.getTargetElement().classList.toggle("drawing", name !== "choose");
  }

  async function select([lon, lat]) {
    if (tool !== "choose") return;
    const tile = await fetchJson(`/corrections/at?lon=${lon}&lat=${lat}`);
    if (tile && store.get().correcting) store.set({ tile });
  }

  async function change(content) {
    const { crater, tile } = store.get();
    showTile(await fetchJson(`/corrections/${tile.tile}/${crater.id}`, content));
  }

  async function undo() {
    showTile(await fetchJson("/corrections/undo", {}));
  }

  /** Show a tile as the server returned it. */
  function showTile(tile) {
    if (!tile) return;
    const others = store.get().corrections.filter((other) => other.tile !== tile.tile);
    const corrections = tile.corrected_craters.length ? [...others, tile] : others;
    store.set({ tile, corrections, correctedAt: Date.now() });
  }

  function stroke() {
    const pixel_deg = 360 / planet.width_px;
    const width = Math.max(2, (2 * Number(radius.value) * pixel_deg) / map.getView().getResolution());
    const color = tool === "erase" ? "rgb(0 0 0 / 0.6)" : css(CORRECTED, 0.6);
    return new ol.style.Style({ stroke: new ol.style.Stroke({ color, width }) });
  }
}

function button(text, title, onClick) {
  const element = make("button", { type: "button", textContent: text, title });
  element.addEventListener("click", onClick);
  return element;
}

function describeTile(tile, crater) {
  const count = crater && tile.ejecta_px[crater.id];
  const pixels = `${(count ?? 0).toLocaleString("en-GB")} pixels of ejecta`;
  const others = Object.entries(tile.ejecta_px).filter(([id, px]) => px && Number(id) !== crater?.id).length;
  const more = others ? `, ${others} other ${others === 1 ? "crater" : "craters"} in the tile` : "";
  const corrected = tile.corrected_craters.includes(crater?.id);
  return `tile ${tile.tile}, ${corrected ? "corrected and saved" : "not corrected"}: ${pixels}${more}`;
}
