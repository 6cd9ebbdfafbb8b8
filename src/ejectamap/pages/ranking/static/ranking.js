// Shows two maps of a crater side by side, with a common zoom and position. Text from the server is never used as HTML.

const find = (id) => document.getElementById(id);
const panels = [...document.querySelectorAll(".panel")];
const stages = [...document.querySelectorAll(".stage")];
const LARGEST_ZOOM = 24;
const KEYS = { 1: "left", 2: "right", t: "tie", u: "undo" };

let state = null; // last response of the server
let busy = false; // a request or its pictures are loading
const view = { zoom: 1, x: 0, y: 0 }; // of both panels; x and y are fractions of a panel's side

async function fetchJson(path, options) {
  const response = await fetch(path, options);
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

async function attempt(task) {
  if (busy) return;
  busy = true;
  try {
    await task();
    find("error").hidden = true;
  } catch (error) {
    find("error").textContent = `${error.message} - is ejectamap rank still running?`;
    find("error").hidden = false;
  } finally {
    busy = false;
  }
}

function answer(choice) {
  if (choice === "undo" ? state?.question === 0 : !state?.current) return;
  attempt(async () => {
    const body = JSON.stringify({ judge: state.judge, question: state.question, answer: choice });
    const headers = { "Content-Type": "application/json" };
    await show(await fetchJson("/choices", { method: "POST", headers, body }));
  });
}

async function show(next) {
  state = next;
  find("welcome").hidden = true;
  find("study").hidden = !state.current;
  find("done").hidden = Boolean(state.current);
  if (!state.current) return;
  find("crater").textContent = state.current.crater;
  find("judge").textContent = state.judge;
  find("count").textContent = `${state.question} of ${state.questions}`;
  find("progress").value = state.question / state.questions;
  find("panels").classList.remove("bare");
  find("toggle").setAttribute("aria-pressed", "true");
  setView(1, 0, 0);
  // Both sides appear together, so that neither is preferred because it appeared first.
  find("panels").classList.add("loading");
  await Promise.all(panels.flatMap((panel) => [
    load(panel.querySelector(".ground"), state.current.ground),
    load(panel.querySelector(".map"), state.current[panel.dataset.side]),
  ]));
  find("panels").classList.remove("loading");
  for (const part of ["ground", "left", "right"]) if (state.next) new Image().src = state.next[part];
}

async function load(image, address) {
  image.src = address;
  await image.decode();
}

function setView(zoom, x, y) {
  view.zoom = Math.min(LARGEST_ZOOM, Math.max(1, zoom));
  const limit = view.zoom - 1; // the picture must cover the panel
  view.x = Math.min(0, Math.max(-limit, x));
  view.y = Math.min(0, Math.max(-limit, y));
  const side = panels[0].clientWidth;
  for (const stage of stages) {
    stage.style.transform = `translate(${view.x * side}px, ${view.y * side}px) scale(${view.zoom})`;
  }
  drawScale(side);
}

function zoomAt(factor, x, y) {
  const zoom = Math.min(LARGEST_ZOOM, Math.max(1, view.zoom * factor));
  const ratio = zoom / view.zoom;
  setView(zoom, x - (x - view.x) * ratio, y - (y - view.y) * ratio); // keeps the place under the pointer
}

function drawScale(side) {
  if (!state?.current || !side) return;
  const kmPerPx = (2 * state.current.half_km) / (side * view.zoom);
  const power = 10 ** Math.floor(Math.log10(120 * kmPerPx));
  const km = power * [5, 2, 1].find((step) => step * power <= 120 * kmPerPx);
  find("bar").style.width = `${km / kmPerPx}px`;
  find("length").textContent = `${Number(km.toPrecision(1))} km`;
}

function toggle() {
  const bare = find("panels").classList.toggle("bare");
  find("toggle").setAttribute("aria-pressed", String(!bare));
}

for (const panel of panels) {
  panel.addEventListener("wheel", (event) => {
    event.preventDefault();
    const box = panel.getBoundingClientRect();
    const place = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    zoomAt(1.0015 ** -event.deltaY, ...place);
  }, { passive: false });
  panel.addEventListener("pointerdown", (event) => panel.setPointerCapture(event.pointerId));
  panel.addEventListener("pointermove", (event) => {
    if (!panel.hasPointerCapture(event.pointerId)) return;
    const side = panel.clientWidth;
    setView(view.zoom, view.x + event.movementX / side, view.y + event.movementY / side);
  });
}

document.addEventListener("keydown", (event) => {
  if (!state || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const key = event.key.toLowerCase();
  if (key in KEYS) answer(KEYS[key]);
  else if (key === " ") toggle();
  else if (key === "0") setView(1, 0, 0);
  else if (key === "+" || key === "=") zoomAt(1.5, 0.5, 0.5);
  else if (key === "-") zoomAt(1 / 1.5, 0.5, 0.5);
  else return;
  event.preventDefault();
});
for (const button of document.querySelectorAll("[data-answer]")) {
  button.addEventListener("click", () => {
    button.blur(); // otherwise the space bar would press it again
    answer(button.dataset.answer);
  });
}
find("toggle").addEventListener("click", (event) => {
  event.currentTarget.blur();
  toggle();
});
find("whole").addEventListener("click", (event) => {
  event.currentTarget.blur();
  setView(1, 0, 0);
});
window.addEventListener("resize", () => setView(view.zoom, view.x, view.y));
find("welcome").addEventListener("submit", (event) => {
  event.preventDefault();
  const judge = encodeURIComponent(find("name").value);
  attempt(async () => show(await fetchJson(`/question?judge=${judge}`)));
});
find("name").focus();
