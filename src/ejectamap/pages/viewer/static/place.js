// The panel about a place: which craters claim it, and what the networks saw there.

import { ask, byId, make, swatch } from "./dom.js";
import { inWords, lengthInWords } from "./sphere.js";

const FAINT = 0.02; // craters below this are only counted
const CAPTIONS = {
  polar: "Polar view: across it azimuth, from north through east; down it distance, from the crater to its reach.",
  chip: "Chip: the square around the place that was outlined, north up.",
  corridor: "Corridor: from the crater, left, to the chip, right.",
};
const TITLES = { polar: "Surroundings", chip: "Chip", corridor: "Corridor" };

/** Show the panel for a place; `choose(crater)` is told of clicks on one. */
export function makePlacePanel(planet, store, choose) {
  const panel = byId("place");
  const byNumber = new Map(planet.craters.map((crater) => [crater.id, crater]));
  let asked = 0;

  async function show(place) {
    const number = ++asked;
    store.set({ place });
    const answer = await ask(`/place?lon=${place[0]}&lat=${place[1]}`);
    if (!answer || number !== asked) return;
    const claims = answer.craters.map((claim) => ({ ...claim, crater: byNumber.get(claim.crater_id) }));
    panel.replaceChildren(heading(place, hide), ...claimList(claims, store, choose));
    panel.hidden = false;
    const { crater } = store.get();
    const subject = claims.find((claim) => claim.crater === crater) ?? claims[0];
    if (subject) panel.append(...pictures(subject.crater, place, planet.views));
  }
  function hide() {
    asked++;
    panel.hidden = true;
    store.set({ place: null });
  }
  return show;
}

function heading(place, hide) {
  const close = make("button", { type: "button", className: "close", textContent: "×" });
  close.setAttribute("aria-label", "Close");
  close.addEventListener("click", hide);
  return make("div", { className: "heading" }, make("h2", { textContent: inWords(place) }), close);
}

function claimList(claims, store, choose) {
  const shown = claims.filter(({ probability, labelled }) => probability >= FAINT || labelled);
  const list = make("ul", { className: "claims" }, ...shown.map((claim) => claimRow(claim, store, choose)));
  const rest = claims.length - shown.length;
  const words = rest === 1 ? "1 more crater reaches" : `${rest} more craters reach`;
  const note = rest ? `${words} this far, below ${100 * FAINT} %.` : "";
  const none = claims.length ? note : "No mapped crater reaches this far.";
  return [list, make("p", { className: "dim", textContent: none })];
}

function claimRow({ crater, probability, labelled, distance_m }, store, choose) {
  const bar = make("meter", { min: 0, max: 1, value: probability ?? 0 });
  const value = probability === null ? "unknown" : `${Math.round(100 * probability)} %`;
  const radii = (distance_m / crater.radius_m).toFixed(1);
  const facts = [`${lengthInWords(distance_m)} away, ${radii} radii`];
  if (labelled !== null) facts.push(labelled ? "labelled as its ejecta" : "labelled: not its ejecta");
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

/** Figures that fill themselves. */
function pictures(crater, [lon, lat], views) {
  if (!views.length) return [];
  const figures = views.map((kind) => {
    const waiting = make("div", { className: "waiting", textContent: "reading the mosaic …" });
    const caption = make("figcaption", { className: "dim", textContent: CAPTIONS[kind] });
    const figure = make("figure", {}, waiting, caption);
    const address = `/craters/${crater.id}/seen/${kind}.png?lon=${lon}&lat=${lat}`;
    load(figure, address, `${TITLES[kind]} of ${crater.name}`);
    return figure;
  });
  return [make("h3", {}, "What the networks saw of ", make("span", { textContent: crater.name })), ...figures];
}

async function load(figure, address, alt) {
  const holder = figure.firstChild;
  try {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(await answer.text());
    const picture = make("img", { alt, src: URL.createObjectURL(await answer.blob()) });
    picture.addEventListener("load", () => URL.revokeObjectURL(picture.src), { once: true });
    holder.replaceWith(picture);
  } catch (error) {
    holder.textContent = error.message;
  }
}
