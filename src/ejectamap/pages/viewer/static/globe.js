// The globe: a sphere that shows the mosaic and the raster layers, turned by dragging.

import * as THREE from "/vendor/three-0.187.0/three.module.js";
import { byId } from "./dom.js";
import { makeNames } from "./globenames.js";
import { tileAddress, tilesOf } from "./layers.js";
import { LABELLED, plasmaRamp, WITHIN } from "./palette.js";
import { circle, inWords, toLonLat, toVector } from "./sphere.js";

const OVERLAYS = ["origin", "probability", "mask", "labels"];
const DETAIL = 2; // zoom of the tiles on the globe: 4096 pixels around
const FIELD_DEG = 30;
const NEAREST = 1.15;
const FARTHEST = 6;

const VERTEX = `
varying vec2 place;
void main() {
  place = uv;
  gl_Position = projectionMatrix * modelViewMatrix * vec4(position, 1.0);
}`;

const FRAGMENT = `
#define WITHIN ${WITHIN}
uniform sampler2D mosaic, origin, probability, mask, labels, ramp;
uniform vec4 opacity;
uniform float threshold, saturation;
uniform vec3 maskColour, labelColour;
varying vec2 place;
void main() {
  vec4 ground = texture2D(mosaic, place);
  vec3 grey = vec3(dot(ground.rgb, vec3(0.2126, 0.7152, 0.0722)));
  vec3 colour = mix(vec3(0.06), mix(grey, ground.rgb, saturation), ground.a);
  vec4 owner = texture2D(origin, place);
  colour = mix(colour, owner.rgb, owner.a * opacity.x);
  float stored = texture2D(probability, place).r * 255.0;
  float p = stored / 250.0;
  float shown = stored > 0.5 && stored < 250.5 && p > threshold ? opacity.y : 0.0;
  colour = mix(colour, texture2D(ramp, vec2(p, 0.5)).rgb, shown);
  colour = mix(colour, maskColour, step(0.5, texture2D(mask, place).r) * opacity.z);
  float drawn = texture2D(labels, place).r;
  float cover = drawn > 0.9 ? 1.0 : drawn > 0.1 ? WITHIN : 0.0;
  colour = mix(colour, labelColour, cover * opacity.w);
  gl_FragColor = vec4(colour, 1.0);
}`;

/** Make the globe; `pick(place)` is told of clicks. Gives `show()` and `flyTo(crater)`. */
export function makeGlobe(planet, store, pick) {
  const canvas = byId("globe");
  const renderer = new THREE.WebGLRenderer({ canvas, antialias: true });
  renderer.outputColorSpace = THREE.LinearSRGBColorSpace; // colours go through as they are
  renderer.setPixelRatio(Math.min(window.devicePixelRatio, 2));
  const scene = new THREE.Scene();
  const camera = new THREE.PerspectiveCamera(FIELD_DEG, 1, 0.01, 20);
  const ball = new THREE.Mesh(new THREE.SphereGeometry(1, 192, 96), material(renderer));
  const lines = new THREE.Group();
  scene.add(ball, lines);
  const placeNames = makeNames(planet);
  const eye = { lon: 0, lat: 10, distance: 4.4 };
  let waiting = false;

  const draw = () => {
    if (waiting || canvas.hidden) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      fit(renderer, camera, canvas);
      camera.position.set(...toVector([eye.lon, eye.lat])).multiplyScalar(eye.distance);
      camera.lookAt(0, 0, 0);
      renderer.render(scene, camera);
      placeNames(camera, canvas, store.get().crater, store.get().layers.names.on);
    });
  };
  new ResizeObserver(draw).observe(canvas);
  turnByHand(canvas, eye, draw);
  pointAt(canvas, camera, ball, pick);
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
    flyTo: (crater) => fly(eye, crater, draw),
  };
}

function material(renderer) {
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
  const made = new THREE.ShaderMaterial({ uniforms, vertexShader: VERTEX, fragmentShader: FRAGMENT });
  made.userData = { empty, addresses: {}, anisotropy: renderer.capabilities.getMaxAnisotropy() };
  return made;
}

/** Follow the store: what is switched on is loaded once it is needed. */
function update({ uniforms, userData }, planet, values, draw) {
  const opacities = OVERLAYS.map((key) => {
    const { on, opacity } = values.layers[key];
    return on && tilesOf(key, planet, values) ? opacity : 0;
  });
  uniforms.opacity.value.set(...opacities);
  uniforms.threshold.value = values.threshold;
  uniforms.saturation.value = values.saturation;
  uniforms.maskColour.value.set(...(values.crater?.colour ?? [255, 255, 255])).divideScalar(255);
  if (values.view !== "globe") return;
  for (const key of ["mosaic", ...OVERLAYS]) {
    const tiles = tilesOf(key, planet, values);
    const wanted = tiles && (key === "mosaic" || values.layers[key].on) ? tiles : null;
    const address = wanted && tileAddress(wanted, 0, 0, 0);
    if (userData.addresses[key] === address) continue;
    userData.addresses[key] = address;
    if (uniforms[key].value !== userData.empty) uniforms[key].value.dispose();
    uniforms[key].value = userData.empty;
    if (wanted) {
      uniforms[key].value = wholeGlobe(wanted, planet, key === "mosaic" ? userData.anisotropy : 0, draw);
    }
  }
}

/** A texture put together from the tiles of the whole globe; `draw` is called as they come. */
function wholeGlobe(tiles, planet, anisotropy, draw) {
  const zoom = Math.min(DETAIL, planet.finest_zoom);
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

/** Rims of all craters, and the chosen one's rings. */
function drawLines(group, planet, chosen) {
  group.traverse((line) => line.geometry?.dispose());
  group.clear();
  const add = (to, crater, distance_m, colour) => {
    const places = circle([crater.lon, crater.lat], distance_m, planet.radius_m, 128);
    const points = places.map((place) => new THREE.Vector3(...toVector(place)).multiplyScalar(1.002));
    const geometry = new THREE.BufferGeometry().setFromPoints(points);
    const color = new THREE.Color(...colour.map((part) => part / 255));
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

/** Drag to turn, wheel to zoom. */
function turnByHand(canvas, eye, draw) {
  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    if (!event.buttons) return;
    const span_deg = (2 * Math.tan((FIELD_DEG / 2) * (Math.PI / 180)) * (eye.distance - 1) * 180) / Math.PI;
    const step = span_deg / canvas.clientHeight;
    eye.lon -= (event.movementX * step) / Math.max(Math.cos((eye.lat * Math.PI) / 180), 0.2);
    eye.lat = Math.max(-89.5, Math.min(89.5, eye.lat + event.movementY * step));
    draw();
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const height = (eye.distance - 1) * Math.exp(event.deltaY * 0.001);
    eye.distance = Math.max(NEAREST, Math.min(FARTHEST, 1 + height));
    draw();
  }, { passive: false });
}

/** Say where the pointer is; a click without a drag picks the place. */
function pointAt(canvas, camera, ball, pick) {
  const ray = new THREE.Raycaster();
  const placeAt = ({ offsetX, offsetY }) => {
    const at = new THREE.Vector2((2 * offsetX) / canvas.clientWidth - 1, 1 - (2 * offsetY) / canvas.clientHeight);
    ray.setFromCamera(at, camera);
    const hit = ray.ray.intersectSphere(new THREE.Sphere(ball.position, 1), new THREE.Vector3());
    return hit && toLonLat(hit.toArray());
  };
  let down = null;
  canvas.addEventListener("pointerdown", (event) => (down = event));
  canvas.addEventListener("pointermove", (event) => {
    const place = placeAt(event);
    byId("pointer").textContent = place ? inWords(place) : "";
  });
  canvas.addEventListener("pointerup", (event) => {
    const moved = down && Math.hypot(event.offsetX - down.offsetX, event.offsetY - down.offsetY);
    const place = moved < 4 && placeAt(event);
    if (place) pick(place);
  });
}

function fly(eye, crater, draw) {
  const from = { ...eye };
  const turn = ((((crater.lon - from.lon + 180) % 360) + 360) % 360) - 180;
  const started = performance.now();
  const step = (now) => {
    const t = Math.max(0, Math.min(1, (now - started) / 900));
    const s = t * t * (3 - 2 * t);
    eye.lon = from.lon + s * turn;
    eye.lat = from.lat + s * (Math.max(-89.5, Math.min(89.5, crater.lat)) - from.lat);
    eye.distance = from.distance + s * (Math.min(from.distance, 2.4) - from.distance);
    draw();
    if (t < 1) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}
