// The list of craters, and its search.

import { byId, make, swatch } from "./dom.js";
import { formatLength } from "./sphere.js";

/** Text without accents and in lower case, so that "basho" matches "Bashō". */
const searchKey = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/** Fill the list; `choose(crater)` is called for a clicked crater. */
export function makeCatalogue(planet, store, choose) {
  const sorted = [...planet.craters].sort((a, b) => a.name.localeCompare(b.name));
  const rows = sorted.map((crater) => {
    const item = row(crater, planet.stale.includes(crater.id), choose);
    return { crater, key: searchKey(`${crater.name} ${crater.id}`), item };
  });
  byId("craters").append(...rows.map(({ item }) => item));

  const search = byId("search");
  search.placeholder = `Search ${rows.length} craters`;
  const matches = () => rows.filter(({ key }) => key.includes(searchKey(search.value.trim())));
  search.addEventListener("input", () => {
    const shown = new Set(matches());
    for (const entry of rows) entry.item.hidden = !shown.has(entry);
    byId("no-craters").hidden = shown.size > 0;
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && matches().length) choose(matches()[0].crater);
  });
  store.listen(({ crater }) => {
    for (const entry of rows) {
      const chosen = entry.crater === crater;
      entry.item.classList.toggle("chosen", chosen);
      if (chosen && !entry.item.hidden) entry.item.scrollIntoView({ block: "nearest" });
    }
  });
}

function row(crater, isStale, choose) {
  const size = formatLength(crater.radius_m);
  const stale = isStale ? "\nits map is of earlier inputs, settings or networks" : "";
  const title = `${crater.name}\ncrater ${crater.id}, radius ${size}${stale}`;
  const button = make(
    "button",
    { type: "button", title },
    swatch(crater.colour),
    make("span", { className: "name", textContent: crater.name }),
    make("span", { className: "dim", textContent: isStale ? `${size}, older map` : size }),
  );
  button.addEventListener("click", () => choose(crater));
  const item = make("li", {}, button);
  item.classList.toggle("unmapped", crater.map === null);
  return item;
}
