// The panel of a place: the craters that its ejecta may come from, and the networks' inputs there.

import { byId, fetchJson, make, swatch } from "./dom.js";
import { formatLength, formatPlace } from "./sphere.js";

const LEAST_SHOWN = 0.02; // craters with a lower probability are only counted
const CAPTIONS = {
  polar: "Polar view: columns are azimuth, from north through east; rows are distance, from the crater to its reach.",
  chip: "Chip: the square in which a network maps ejecta, north up.",
  corridor: "Corridor: from the crater (left) to the chip (right).",
};
const TITLES = { polar: "Polar view", chip: "Chip", corridor: "Corridor" };

/** Make the panel; `choose(crater)` is called for a clicked crater. Returns `show(place)`. */
export function makePlacePanel(planet, store, choose) {
  const panel = byId("place");
  const craters = new Map(planet.craters.map((crater) => [crater.id, crater]));
  let requests = 0;

  async function show(place) {
    const request = ++requests;
    store.set({ place });
    const answer = await fetchJson(`/place?lon=${place[0]}&lat=${place[1]}`);
    if (!answer || request !== requests) return;
    const entries = answer.craters.map((entry) => ({ ...entry, crater: craters.get(entry.crater_id) }));
    panel.replaceChildren(heading(place, hide), ...craterList(entries, store, choose));
    panel.hidden = false;
    const { crater } = store.get();
    const subject = entries.find((entry) => entry.crater === crater) ?? entries[0];
    if (subject) panel.append(...inputPictures(subject.crater, place, planet.views));
  }
  function hide() {
    requests++; // ignores a response that is still to come
    panel.hidden = true;
    store.set({ place: null });
  }
  return show;
}

function heading(place, hide) {
  const close = make("button", { type: "button", className: "close", textContent: "×" });
  close.setAttribute("aria-label", "Close");
  close.addEventListener("click", hide);
  return make("div", { className: "heading" }, make("h2", { textContent: formatPlace(place) }), close);
}

function craterList(entries, store, choose) {
  const shown = entries.filter(({ probability, labelled }) => probability >= LEAST_SHOWN || labelled);
  const list = make("ul", { className: "craters" }, ...shown.map((entry) => craterRow(entry, store, choose)));
  const rest = entries.length - shown.length;
  const count = rest === 1 ? "1 more crater has" : `${rest} more craters have`;
  const more = rest ? `${count} this place in reach, with a probability below ${100 * LEAST_SHOWN} %.` : "";
  const note = entries.length ? more : "No mapped crater has this place in reach.";
  return [list, make("p", { className: "dim", textContent: note })];
}

function craterRow({ crater, probability, labelled, distance_m }, store, choose) {
  const bar = make("meter", { min: 0, max: 1, value: probability ?? 0 });
  const value = probability === null ? "unknown" : `${Math.round(100 * probability)} %`;
  const radii = (distance_m / crater.radius_m).toFixed(1);
  const facts = [`${formatLength(distance_m)} away, ${radii} radii`];
  if (labelled !== null) facts.push(labelled ? "labelled as its ejecta" : "labelled as free of its ejecta");
  const name = make("span", { className: "name", textContent: crater.name });
  const button = make(
    "button",
    { type: "button", title: crater.name },
    make("span", { className: "line" }, swatch(crater.colour), name, make("b", { textContent: value })),
    bar,
    make("span", { className: "dim", textContent: facts.join("; ") }),
  );
  button.addEventListener("click", () => choose(crater));
  const item = make("li", {}, button);
  item.classList.toggle("above", probability > store.get().threshold);
  return item;
}

/** Figures of the networks' inputs, whose pictures are loaded later. */
function inputPictures(crater, [lon, lat], views) {
  if (!views.length) return [];
  const figures = views.map((kind) => {
    const placeholder = make("div", { className: "waiting", textContent: "reading the mosaic …" });
    const caption = make("figcaption", { className: "dim", textContent: CAPTIONS[kind] });
    const figure = make("figure", {}, placeholder, caption);
    const address = `/craters/${crater.id}/inputs/${kind}.png?lon=${lon}&lat=${lat}`;
    load(figure, address, `${TITLES[kind]} of ${crater.name}`);
    return figure;
  });
  return [make("h3", {}, "Input of the networks for ", make("span", { textContent: crater.name })), ...figures];
}

async function load(figure, address, alt) {
  const placeholder = figure.firstChild;
  try {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(await answer.text());
    const picture = make("img", { alt, src: URL.createObjectURL(await answer.blob()) });
    picture.addEventListener("load", () => URL.revokeObjectURL(picture.src), { once: true });
    placeholder.replaceWith(picture);
  } catch (error) {
    placeholder.textContent = error.message;
  }
}
