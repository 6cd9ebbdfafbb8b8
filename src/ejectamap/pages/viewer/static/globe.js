// The globe: a sphere with the mosaic and the raster layers, and names of craters over it.

import * as THREE from "/vendor/three-0.187.0/three.module.js";
import { byId, make } from "./dom.js";
import { INTERIOR_OPACITY, LABELLED, plasmaRamp, tileAddress, tileSource } from "./layers.js";
import { circle, formatPlace, toLonLat, toVector } from "./sphere.js";

const OVERLAYS = ["origin", "probability", "mask", "labels"];
const TEXTURE_ZOOM = 2; // zoom of the map tiles on the globe: 4096 pixels along the equator
const FIELD_DEG = 30;
const NEAREST = 1.15; // distances of the camera from the centre, in radii
const FARTHEST = 6;
const NAME_HEIGHT_PX = 18;
const NAME_OFFSET_PX = 7; // from a crater's centre up to its name

const VERTEX = `
varying vec2 place;
void main() {
  place = uv;
  gl_Position = projectionMatrix * modelViewMatrix * vec4(position, 1.0);
}`;

const fragmentShader = (steps) => `
#define INTERIOR_OPACITY ${INTERIOR_OPACITY}
#define STEPS ${steps.toFixed(1)}
uniform sampler2D mosaic, origin, probability, mask, labels, ramp;
uniform vec4 opacity;
uniform float threshold, saturation;
uniform vec3 maskColour, labelColour;
varying vec2 place;
void main() {
  vec4 ground = texture2D(mosaic, place);
  vec3 grey = vec3(dot(ground.rgb, vec3(0.2126, 0.7152, 0.0722)));
  vec3 colour = mix(vec3(0.06), mix(grey, ground.rgb, saturation), ground.a);
  vec4 originColour = texture2D(origin, place);
  colour = mix(colour, originColour.rgb, originColour.a * opacity.x);
  float stored = texture2D(probability, place).r * 255.0;
  float p = stored / STEPS;
  float shown = stored > 0.5 && stored < STEPS + 0.5 && p > threshold ? opacity.y : 0.0;
  colour = mix(colour, texture2D(ramp, vec2(p, 0.5)).rgb, shown);
  colour = mix(colour, maskColour, step(0.5, texture2D(mask, place).r) * opacity.z);
  float label = texture2D(labels, place).r;
  float cover = label > 0.9 ? 1.0 : label > 0.1 ? INTERIOR_OPACITY : 0.0;
  colour = mix(colour, labelColour, cover * opacity.w);
  gl_FragColor = vec4(colour, 1.0);
}`;

/** Make the globe; `pick(place)` is called for a clicked place. Returns `show()` and `flyTo(crater)`. */
export function makeGlobe(planet, store, pick) {
  const canvas = byId("globe");
  const renderer = new THREE.WebGLRenderer({ canvas, antialias: true });
  renderer.outputColorSpace = THREE.LinearSRGBColorSpace; // colours are not converted
  renderer.setPixelRatio(Math.min(window.devicePixelRatio, 2));
  const scene = new THREE.Scene();
  const camera = new THREE.PerspectiveCamera(FIELD_DEG, 1, 0.01, 20);
  const ball = new THREE.Mesh(new THREE.SphereGeometry(1, 192, 96), makeMaterial(renderer, planet.probability_steps));
  const lines = new THREE.Group();
  scene.add(ball, lines);
  const drawNames = makeNames(planet);
  const position = { lon: 0, lat: 10, distance: 4.4 };
  let waiting = false;

  const draw = () => {
    if (waiting || canvas.hidden) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      fit(renderer, camera, canvas);
      camera.position.set(...toVector([position.lon, position.lat])).multiplyScalar(position.distance);
      camera.lookAt(0, 0, 0);
      renderer.render(scene, camera);
      drawNames(camera, canvas, store.get().crater, store.get().layers.names.on);
    });
  };
  new ResizeObserver(draw).observe(canvas);
  addDragAndZoom(canvas, position, draw);
  addPointer(canvas, camera, ball, pick);
  store.listen((values, changed) => {
    if (changed.has("crater")) drawLines(lines, planet, values.crater);
    lines.visible = values.layers.names.on;
    lines.getObjectByName("rings").visible = values.layers.rings.on;
    update(ball.material, planet, values, draw);
    draw();
  });
  return {
    show: () => {
      update(ball.material, planet, store.get(), draw);
      draw();
    },
    flyTo: (crater) => animateTo(position, crater, draw),
  };
}

function makeMaterial(renderer, steps) {
  const empty = new THREE.DataTexture(new Uint8Array(4), 1, 1);
  const ramp = new THREE.DataTexture(plasmaRamp(), 256, 1);
  empty.needsUpdate = ramp.needsUpdate = true;
  ramp.magFilter = THREE.LinearFilter;
  const uniforms = { ramp: { value: ramp }, opacity: { value: new THREE.Vector4() } };
  for (const key of ["mosaic", ...OVERLAYS]) uniforms[key] = { value: empty };
  uniforms.threshold = { value: 0 };
  uniforms.saturation = { value: 1 };
  uniforms.maskColour = { value: new THREE.Vector3() };
  uniforms.labelColour = { value: new THREE.Vector3(...LABELLED).divideScalar(255) };
  const material = new THREE.ShaderMaterial({ uniforms, vertexShader: VERTEX, fragmentShader: fragmentShader(steps) });
  material.userData = { empty, addresses: {}, anisotropy: renderer.capabilities.getMaxAnisotropy() };
  return material;
}

/** Update the material when the store changes; textures of layers that are on are loaded while the globe is shown. */
function update({ uniforms, userData }, planet, values, draw) {
  const opacities = OVERLAYS.map((key) => {
    const { on, opacity } = values.layers[key];
    return on && tileSource(key, planet, values) ? opacity : 0;
  });
  uniforms.opacity.value.set(...opacities);
  uniforms.threshold.value = values.threshold;
  uniforms.saturation.value = values.saturation;
  uniforms.maskColour.value.set(...(values.crater?.colour ?? [255, 255, 255])).divideScalar(255);
  if (values.view !== "globe") return;
  for (const key of ["mosaic", ...OVERLAYS]) {
    const tiles = tileSource(key, planet, values);
    const source = tiles && (key === "mosaic" || values.layers[key].on) ? tiles : null;
    const address = source && tileAddress(source, 0, 0, 0);
    if (userData.addresses[key] === address) continue;
    userData.addresses[key] = address;
    if (uniforms[key].value !== userData.empty) uniforms[key].value.dispose();
    uniforms[key].value = userData.empty;
    if (source) {
      uniforms[key].value = makeTexture(source, planet, key === "mosaic" ? userData.anisotropy : 0, draw);
    }
  }
}

/** Texture of the map tiles of the whole globe; `draw` is called whenever one is loaded. */
function makeTexture(tiles, planet, anisotropy, draw) {
  const zoom = Math.min(TEXTURE_ZOOM, planet.finest_zoom);
  const side = planet.tile_px;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [2 * side * 2 ** zoom, side * 2 ** zoom];
  const context = canvas.getContext("2d");
  const texture = new THREE.CanvasTexture(canvas);
  texture.wrapS = THREE.RepeatWrapping;
  texture.generateMipmaps = anisotropy > 0;
  texture.minFilter = anisotropy > 0 ? THREE.LinearMipmapLinearFilter : THREE.NearestFilter;
  texture.magFilter = anisotropy > 0 ? THREE.LinearFilter : THREE.NearestFilter;
  texture.anisotropy = Math.max(1, anisotropy);
  for (let x = 0; x < 2 ** (zoom + 1); x++) {
    for (let y = 0; y < 2 ** zoom; y++) {
      const image = new Image();
      image.onload = () => {
        context.drawImage(image, x * side, y * side);
        texture.needsUpdate = true;
        draw();
      };
      image.src = tileAddress(tiles, zoom, x, y);
    }
  }
  return texture;
}

/** Draw the rims of all craters, and rings around the chosen one. */
function drawLines(group, planet, chosen) {
  group.traverse((line) => line.geometry?.dispose());
  group.clear();
  const add = (to, crater, distance_m, colour) => {
    const places = circle([crater.lon, crater.lat], distance_m, planet.radius_m, 128);
    const points = places.map((place) => new THREE.Vector3(...toVector(place)).multiplyScalar(1.002));
    const geometry = new THREE.BufferGeometry().setFromPoints(points);
    const color = new THREE.Color(...colour.map((value) => value / 255));
    to.add(new THREE.Line(geometry, new THREE.LineBasicMaterial({ color })));
  };
  const rings = new THREE.Group();
  rings.name = "rings";
  group.add(rings);
  for (const crater of planet.craters) {
    add(group, crater, crater.radius_m, crater === chosen ? [255, 255, 255] : crater.colour);
  }
  if (!chosen) return;
  for (const distance_m of [3 * chosen.radius_m, 10 * chosen.radius_m, chosen.reach_m]) {
    add(rings, chosen, distance_m, [255, 255, 255]);
  }
}

function fit(renderer, camera, canvas) {
  const { clientWidth, clientHeight } = canvas;
  renderer.setSize(clientWidth, clientHeight, false);
  camera.aspect = clientWidth / clientHeight;
  camera.updateProjectionMatrix();
}

/** Turn the globe by dragging, zoom with the wheel. */
function addDragAndZoom(canvas, position, draw) {
  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    if (!event.buttons) return;
    const span_deg = (2 * Math.tan((FIELD_DEG / 2) * (Math.PI / 180)) * (position.distance - 1) * 180) / Math.PI;
    const step = span_deg / canvas.clientHeight;
    position.lon -= (event.movementX * step) / Math.max(Math.cos((position.lat * Math.PI) / 180), 0.2);
    position.lat = Math.max(-89.5, Math.min(89.5, position.lat + event.movementY * step));
    draw();
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const height = (position.distance - 1) * Math.exp(event.deltaY * 0.001);
    position.distance = Math.max(NEAREST, Math.min(FARTHEST, 1 + height));
    draw();
  }, { passive: false });
}

/** Show the place under the pointer; `pick(place)` is called for a click without a drag. */
function addPointer(canvas, camera, ball, pick) {
  const ray = new THREE.Raycaster();
  const placeAt = ({ offsetX, offsetY }) => {
    const point = new THREE.Vector2((2 * offsetX) / canvas.clientWidth - 1, 1 - (2 * offsetY) / canvas.clientHeight);
    ray.setFromCamera(point, camera);
    const hit = ray.ray.intersectSphere(new THREE.Sphere(ball.position, 1), new THREE.Vector3());
    return hit && toLonLat(hit.toArray());
  };
  let down = null;
  canvas.addEventListener("pointerdown", (event) => (down = event));
  canvas.addEventListener("pointermove", (event) => {
    const place = placeAt(event);
    byId("pointer").textContent = place ? formatPlace(place) : "";
  });
  canvas.addEventListener("pointerup", (event) => {
    const moved = down && Math.hypot(event.offsetX - down.offsetX, event.offsetY - down.offsetY);
    const place = moved < 4 && placeAt(event);
    if (place) pick(place);
  });
}

function animateTo(position, crater, draw) {
  const from = { ...position };
  const turn = ((((crater.lon - from.lon + 180) % 360) + 360) % 360) - 180;
  const started = performance.now();
  const step = (now) => {
    const t = Math.max(0, Math.min(1, (now - started) / 900));
    const s = t * t * (3 - 2 * t);
    position.lon = from.lon + s * turn;
    position.lat = from.lat + s * (Math.max(-89.5, Math.min(89.5, crater.lat)) - from.lat);
    position.distance = from.distance + s * (Math.min(from.distance, 2.4) - from.distance);
    draw();
    if (t < 1) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

/** Make the names of craters. Returns a function that draws them with the globe: the chosen crater first, then the
 * largest; a name that would overlap an earlier one is hidden. */
function makeNames(planet) {
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
      label.style.transform = `translate(${box.x - box.width / 2}px, ${box.y - NAME_HEIGHT_PX - NAME_OFFSET_PX}px)`;
    }
  };
}

/** Crater's position and width of its name, in pixels. */
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
  return Math.abs(a.x - b.x) < (a.width + b.width) / 2 + 4 && Math.abs(a.y - b.y) < NAME_HEIGHT_PX;
}
