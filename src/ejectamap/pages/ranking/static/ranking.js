// Two maps of a crater side by side, looked at in step; what the server says is text, never markup.

const find = (id) => document.getElementById(id);
const panels = [...document.querySelectorAll(".panel")];
const stages = [...document.querySelectorAll(".stage")];
const LARGEST_ZOOM = 24;
const KEYS = { 1: "left", 2: "right", t: "tie", u: "undo" };

let state = null; // what the server said last
let busy = false; // an answer is on its way, or its pictures are
const view = { zoom: 1, x: 0, y: 0 }; // of both panels; x and y in parts of a panel's side

async function ask(path, options) {
  const answer = await fetch(path, options);
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

async function attempt(task) {
  if (busy) return;
  busy = true;
  try {
    await task();
    find("trouble").hidden = true;
  } catch (error) {
    find("trouble").textContent = `${error.message} - is ejectamap rank still running?`;
    find("trouble").hidden = false;
  } finally {
    busy = false;
  }
}

function answer(choice) {
  if (choice === "undo" ? state?.question === 0 : !state?.now) return;
  attempt(async () => {
    const body = JSON.stringify({ judge: state.judge, question: state.question, answer: choice });
    const headers = { "Content-Type": "application/json" };
    await show(await ask("/choices", { method: "POST", headers, body }));
  });
}

async function show(next) {
  state = next;
  find("welcome").hidden = true;
  find("study").hidden = !state.now;
  find("done").hidden = Boolean(state.now);
  if (!state.now) return;
  find("crater").textContent = state.now.crater;
  find("judge").textContent = state.judge;
  find("count").textContent = `${state.question} of ${state.questions}`;
  find("progress").value = state.question / state.questions;
  find("panels").classList.remove("bare");
  find("toggle").setAttribute("aria-pressed", "true");
  look(1, 0, 0);
  // Both sides appear at once: neither looks better for having been there first.
  find("panels").classList.add("loading");
  await Promise.all(panels.flatMap((panel) => [
    load(panel.querySelector(".ground"), state.now.ground),
    load(panel.querySelector(".map"), state.now[panel.dataset.side]),
  ]));
  find("panels").classList.remove("loading");
  for (const part of ["ground", "left", "right"]) if (state.then) new Image().src = state.then[part];
}

async function load(image, address) {
  image.src = address;
  await image.decode();
}

function look(zoom, x, y) {
  view.zoom = Math.min(LARGEST_ZOOM, Math.max(1, zoom));
  const most = view.zoom - 1; // the picture covers the panel
  view.x = Math.min(0, Math.max(-most, x));
  view.y = Math.min(0, Math.max(-most, y));
  const side = panels[0].clientWidth;
  for (const stage of stages) {
    stage.style.transform = `translate(${view.x * side}px, ${view.y * side}px) scale(${view.zoom})`;
  }
  drawScale(side);
}

function zoomAt(factor, x, y) {
  const zoom = Math.min(LARGEST_ZOOM, Math.max(1, view.zoom * factor));
  const grown = zoom / view.zoom;
  look(zoom, x - (x - view.x) * grown, y - (y - view.y) * grown); // the place under the pointer stays
}

function drawScale(side) {
  if (!state?.now || !side) return;
  const kmPerPx = (2 * state.now.half_km) / (side * view.zoom);
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
    look(view.zoom, view.x + event.movementX / side, view.y + event.movementY / side);
  });
}

document.addEventListener("keydown", (event) => {
  if (!state || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const key = event.key.toLowerCase();
  if (key in KEYS) answer(KEYS[key]);
  else if (key === " ") toggle();
  else if (key === "0") look(1, 0, 0);
  else if (key === "+" || key === "=") zoomAt(1.5, 0.5, 0.5);
  else if (key === "-") zoomAt(1 / 1.5, 0.5, 0.5);
  else return;
  event.preventDefault();
});
for (const button of document.querySelectorAll("[data-answer]")) {
  button.addEventListener("click", () => {
    button.blur(); // or the space bar would press it again
    answer(button.dataset.answer);
  });
}
find("toggle").addEventListener("click", (event) => {
  event.currentTarget.blur();
  toggle();
});
find("whole").addEventListener("click", (event) => {
  event.currentTarget.blur();
  look(1, 0, 0);
});
window.addEventListener("resize", () => look(view.zoom, view.x, view.y));
find("welcome").addEventListener("submit", (event) => {
  event.preventDefault();
  const judge = encodeURIComponent(find("name").value);
  attempt(async () => show(await ask(`/question?judge=${judge}`)));
});
find("name").focus();
