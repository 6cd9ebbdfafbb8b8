// Names on the globe: text over the canvas, the largest craters first, none over another.

import * as THREE from "/vendor/three-0.187.0/three.module.js";
import { byId, make } from "./dom.js";
import { toVector } from "./sphere.js";

const HEIGHT = 18;
const ABOVE = 14; // a crater's centre

/** Gives `place(camera, canvas, chosen, shown)`, to be called whenever the globe is drawn. */
export function makeNames(planet) {
  const holder = byId("globe-names");
  const names = [...planet.craters]
    .sort((a, b) => b.radius_m - a.radius_m)
    .map((crater) => ({
      crater,
      at: new THREE.Vector3(...toVector([crater.lon, crater.lat])),
      label: make("span", { textContent: crater.name }),
    }));
  holder.append(...names.map(({ label }) => label));

  return (camera, canvas, chosen, shown) => {
    const taken = [];
    const first = names.filter(({ crater }) => crater === chosen);
    for (const { crater, at, label } of new Set([...first, ...names])) {
      const box = shown && at.dot(camera.position) > 1 ? boxOf(at, label, camera, canvas) : null;
      const free = box && !taken.some((other) => overlap(box, other));
      label.hidden = !free;
      if (!free) continue;
      taken.push(box);
      label.classList.toggle("chosen", crater === chosen);
      label.style.transform = `translate(${box.x - box.width / 2}px, ${box.y - HEIGHT - ABOVE / 2}px)`;
    }
  };
}

/** Where a name would stand, in pixels: middle above, and its width. */
function boxOf(at, label, camera, canvas) {
  const { x, y } = at.clone().project(camera);
  label.hidden = false;
  return {
    x: ((x + 1) / 2) * canvas.clientWidth,
    y: ((1 - y) / 2) * canvas.clientHeight,
    width: label.offsetWidth,
  };
}

function overlap(a, b) {
  return Math.abs(a.x - b.x) < (a.width + b.width) / 2 + 4 && Math.abs(a.y - b.y) < HEIGHT;
}
