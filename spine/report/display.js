"use strict";
// Reads the events that the page holds (format: payload.py), draws found and true points with one camera.
const $ = (id) => document.getElementById(id);
const settings = JSON.parse($("settings").textContent);
const canvas = $("canvas"), NONE = 65535, GREY = [110, 120, 133];
const view = { yaw: 0.6, pitch: 0.35, distance: 1, center: [0, 0, 0] };
const state = { event: null, number: null, hover: null };
const layers = {}; // side -> {points, lines, ends, marks}
const gl = canvas.getContext("webgl");
const say = (text) => Object.assign($("message"), { hidden: !text, textContent: text });

async function inflate(text) {
  const bytes = Uint8Array.from(atob(text.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
function unpack(data) {
  const size = new DataView(data.buffer).getUint32(0, true);
  const event = JSON.parse(new TextDecoder().decode(data.subarray(4, 4 + size)));
  let at = 4 + size, shared = null;
  const take = (n) => data.subarray(at, at += n);
  const take16 = (n) => { const low = take(n), high = take(n); return Uint16Array.from(low, (v, i) => v | high[i] << 8); };
  for (const side of Object.values(event.sides)) {
    const n = side.n;
    if (!side.shared) shared = new Float32Array(3 * n);
    for (let axis = 0; axis < 3 && !side.shared; axis++) {
      let q = 0;
      take16(n).forEach((d, i) => { shared[3 * i + axis] = event.origin[axis] + event.step[axis] * (q = (q + d) & 65535); });
    }
    Object.assign(side, { points: shared, charge: take(n), particle: take16(n), shape: take(n) });
    side.ids = side.particles.id || [];
  }
  return event;
}

// ---- colours ----
const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
const STOPS = ["#7464d8", "#3f8fd0", "#21b8a0", "#8fdc5a", "#fde725"].map(rgb);
function ramp(x) {
  const place = Math.min(Math.max(x, 0), 1) * (STOPS.length - 1), i = Math.min(Math.floor(place), STOPS.length - 2);
  return STOPS[i].map((a, k) => a + (STOPS[i + 1][k] - a) * (place - i));
}
function hue(number) { // golden angle: neighbours in number differ in colour
  return [0, 4, 2].map((shift) => 70 + 185 * Math.min(1, Math.max(0, Math.abs((number * 2.2918 + 3.3 + shift) % 6 - 3) - 1)));
}
const named = (kind, value) => settings[kind].colors[value] ? rgb(settings[kind].colors[value]) : GREY;
function particleColor(side, row, mode) {
  const p = side.particles;
  if (mode === "shape" || mode === "pid") return named(mode, p[mode][row]);
  if (mode === "match") return p.match[row] < 0 || p.overlap[row] === null ? GREY : ramp(p.overlap[row]);
  const number = (mode === "particle" ? p.id : p.interaction_id)[row];
  return number < 0 ? GREY : hue(number);
}
function lit(name) { // row of the particle to show in full light on a side: the one under the pointer or its match
  const h = state.hover, sides = state.event.sides;
  if (!h || h.row === NONE) return null;
  return h.side === name ? h.row : sides[name].ids.indexOf(sides[h.side].particles.match[h.row]);
}
function pointColors(name) {
  const side = state.event.sides[name], mode = $("color").value, out = new Uint8Array(4 * side.n), raw = $("raw").checked;
  const rows = side.ids.map((_, row) => mode === "charge" ? null : particleColor(side, row, mode)), only = lit(name);
  for (let i = 0; i < side.n; i++) {
    const row = side.particle[i];
    if (row === NONE && !raw) continue; // alpha 0: not drawn
    const free = mode === "shape" ? named("shape", side.shape[i]) : GREY;
    const color = mode === "charge" ? ramp(side.charge[i] / 255) : row === NONE ? free : rows[row];
    for (let k = 0; k < 3; k++) out[4 * i + k] = color[k] * (only === null || only === row ? 1 : 0.25);
    out[4 * i + 3] = 255;
  }
  return out;
}

// ---- drawing ----
let program, spots;
function compile() {
  program = gl.createProgram();
  const sources = [[gl.VERTEX_SHADER, `attribute vec3 place; attribute vec4 color; varying vec4 tint;
    uniform mat4 matrix; uniform float size, least; void main() { gl_Position = matrix * vec4(place, 1.0); tint = color;
    gl_PointSize = clamp(size / gl_Position.w, least, 40.0); if (color.a == 0.0) gl_Position = vec4(2.0, 2.0, 2.0, 1.0); }`],
  [gl.FRAGMENT_SHADER, `precision mediump float; varying vec4 tint; uniform bool disc;
    void main() { if (disc && length(gl_PointCoord - 0.5) > 0.5) discard; gl_FragColor = tint; }`]];
  for (const [type, source] of sources) {
    const shader = gl.createShader(type);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  gl.useProgram(program);
  spots = Object.fromEntries(["matrix", "size", "least", "disc"].map((name) => [name, gl.getUniformLocation(program, name)]));
  for (const test of [gl.DEPTH_TEST, gl.SCISSOR_TEST]) gl.enable(test);
  gl.clearColor(0.07, 0.086, 0.11, 1);
}

function upload(layer, places, colors) {
  for (const [name, data] of Object.entries({ place: places, color: colors })) {
    if (!data) continue;
    gl.bindBuffer(gl.ARRAY_BUFFER, layer[name] ??= gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.DYNAMIC_DRAW);
  }
  if (places) layer.n = places.length / 3;
}
function drawLayer(layer, kind, size, least) {
  if (!layer.n) return;
  for (const [name, width, type, scaled] of [["place", 3, gl.FLOAT, false], ["color", 4, gl.UNSIGNED_BYTE, true]]) {
    gl.bindBuffer(gl.ARRAY_BUFFER, layer[name]);
    const spot = gl.getAttribLocation(program, name);
    gl.enableVertexAttribArray(spot);
    gl.vertexAttribPointer(spot, width, type, scaled, 0, 0);
  }
  gl.uniform1f(spots.size, size);
  gl.uniform1f(spots.least, least * (window.devicePixelRatio || 1));
  gl.uniform1i(spots.disc, kind === gl.POINTS ? 1 : 0);
  gl.drawArrays(kind, 0, layer.n);
}
const sum = (a, b, s = 1) => a.map((v, i) => v + s * b[i]);
const dot = (a, b) => a.reduce((t, v, i) => t + v * b[i], 0);
function axes() { // directions to the right, up and away from the eye; y is up
  const [cy, sy, cp, sp] = [Math.cos(view.yaw), Math.sin(view.yaw), Math.cos(view.pitch), Math.sin(view.pitch)];
  return [[cy, 0, -sy], [-sy * sp, cp, -cy * sp], [-sy * cp, -sp, -cy * cp]];
}
function matrix(aspect) {
  const [right, up, ahead] = axes(), eye = sum(view.center, ahead, -view.distance), f = 2.2;
  const near = view.distance / 100, far = view.distance * 20, a = (far + near) / (far - near), b = -2 * far * near / (far - near);
  const fx = f / Math.max(aspect, 1e-6) * Math.min(aspect, 1), fy = f * Math.min(aspect, 1);
  const columns = [0, 1, 2].map((i) => [right[i] * fx, up[i] * fy, ahead[i] * a, ahead[i]]);
  return [...columns.flat(), -dot(right, eye) * fx, -dot(up, eye) * fy, -dot(ahead, eye) * a + b, -dot(ahead, eye)];
}
function panes() { // where each side is drawn, in pixels of the page
  const names = Object.keys(state.event.sides), width = canvas.clientWidth / names.length;
  return names.map((name, i) => ({ name, x: i * width, width, height: canvas.clientHeight }));
}
function draw() {
  if (!state.event || !gl) return;
  const scale = window.devicePixelRatio || 1;
  [canvas.width, canvas.height] = [canvas.clientWidth * scale, canvas.clientHeight * scale];
  for (const pane of panes()) {
    const box = [pane.x * scale, 0, pane.width * scale, pane.height * scale].map(Math.round);
    for (const set of ["viewport", "scissor"]) gl[set](...box);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.uniformMatrix4fv(spots.matrix, false, matrix(pane.width / pane.height));
    const layer = layers[pane.name], voxel = state.event.voxel * 1.4 * Math.min(box[2], box[3]);
    drawLayer(layer.lines, gl.LINES, 1, 1);
    drawLayer(layer.points, gl.POINTS, voxel, 2.4);
    for (const [marks, least] of [[layer.ends, 4.5], [layer.marks, 8]]) {
      gl.clear(gl.DEPTH_BUFFER_BIT); // marks stand in front
      drawLayer(marks, gl.POINTS, voxel, least);
    }
  }
}
function overlay(name) { // lines and marks of a side, as switched on
  const { frame, sides, lower, upper } = state.event, side = sides[name], p = side.particles, lines = [], ends = [], marks = [];
  const mode = $("color").value, reach = 0.06 * Math.hypot(...sum(upper, lower, -1));
  const add = (list, places, color) => places.forEach((place) => place.includes(null) || list.push([place, color]));
  if ($("frame").checked) add(lines, frame, [74, 88, 104]);
  if ($("boxes")?.checked) add(lines, settings.boxes, [150, 120, 60]);
  side.ids.forEach((_, row) => {
    const color = mode === "charge" ? [255, 255, 255] : particleColor(side, row, mode), start = p.start[row], dir = p.dir[row];
    if ($("directions").checked && ![...start, ...dir].includes(null)) add(lines, [start, sum(start, dir, reach)], color);
    if ($("ends").checked) { add(ends, [start], [255, 255, 255]); add(ends, [p.end[row]], [150, 160, 172]); }
  });
  if ($("vertices").checked) add(marks, side.interactions.vertex || [], [255, 64, 64]);
  for (const [key, list] of Object.entries({ lines, ends, marks })) {
    upload(layers[name][key], new Float32Array(list.flatMap((v) => v[0])), new Uint8Array(list.flatMap((v) => [...v[1], 255])));
  }
}

const text = (value) => String(value).replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`);
const swatch = (color, label) => `<div><i style="background:rgb(${color.map(Math.round)})"></i>${text(label)}</div>`;
function legend() {
  const mode = $("color").value, sides = Object.values(state.event.sides);
  if (mode === "shape" || mode === "pid") {
    const counts = (v) => sides.map((s) => (s.particles[mode] || []).filter((x) => x === v).length);
    const rows = settings[mode].names.map((name, v) => Math.max(...counts(v)) || (mode === "shape" && v === 4)
      ? swatch(named(mode, v), `${name} (${counts(v).join(" | ")})`) : "");
    return "particles" + rows.join("") + swatch(GREY, mode === "shape" ? "no class" : `no species (${counts(-1).join(" | ")})`);
  }
  if (mode === "particle" || mode === "interaction") return `one colour per ${mode}` + swatch(GREY, `in no ${mode}`);
  const bar = `<div class="ramp" style="background:linear-gradient(90deg,${STOPS.map((c) => `rgb(${c})`)})"></div>`;
  if (mode === "match") return `overlap with the best match${bar}0 to 1${swatch(GREY, "no match")}`;
  return `deposition (logarithmic)${bar}${state.event.charge.join(" to ")} MeV`;
}
function refresh() { // after any change of what is shown
  if (!state.event || !gl) return;
  for (const name of Object.keys(state.event.sides)) { upload(layers[name].points, null, pointColors(name)); overlay(name); }
  $("legend").innerHTML = legend();
  draw();
}
function headings() {
  const sides = state.event.sides;
  for (const [name, title] of [["reco", "Reconstruction"], ["truth", "Truth"]]) {
    const s = sides[name], thinned = s && s.n < s.total ? `${s.n} of ${s.total} points drawn` : s && `${s.n} points`;
    const objects = s && `${s.ids.length} particles, ${(s.interactions.id || []).length} interactions`;
    $(name).innerHTML = s ? `<b>${title}</b><br>${objects}<br>${thinned}` : "";
  }
  $("divider").hidden = !sides.truth;
}
function resetView() { // onto the points, but for the outermost; onto the frame where there are none
  const all = Object.values(state.event.sides).flatMap((s) => [...s.points]), { lower, upper } = state.event;
  const spans = [0, 1, 2].map((axis) => {
    const sorted = Float32Array.from(all.filter((_, i) => i % 3 === axis)).sort(), skip = Math.floor(sorted.length / 100);
    return sorted.length ? [sorted[skip], sorted[sorted.length - 1 - skip]] : [lower[axis], upper[axis]];
  });
  const size = Math.max(Math.hypot(...spans.map(([a, b]) => b - a)), 10 * state.event.voxel);
  Object.assign(view, { yaw: 0.6, pitch: 0.35, distance: 1.5 * size, center: spans.map(([a, b]) => (a + b) / 2) });
}
async function show(number) {
  const island = $(`event-${number}`), known = settings.events.map((e) => e.number).join(", ");
  if (!island) return say(known ? `Event ${number} is not on this page; it holds ${known}.` : "This page holds no events.");
  say("");
  state.number = number;
  const event = unpack(await inflate(island.textContent));
  if (state.number !== number) return; // another one was asked for meanwhile
  event.voxel = Math.max(...event.step, ...sum(event.upper, event.lower, -1).map((size) => size / 5000));
  Object.assign(state, { event, hover: null });
  for (const [name, side] of Object.entries(event.sides)) {
    layers[name] ??= { points: {}, lines: {}, ends: {}, marks: {} };
    if (gl) upload(layers[name].points, side.points, null);
  }
  $("event").value = number;
  $("card").style.display = "none";
  for (const act of [headings, resetView, refresh]) act();
  Object.assign(document.body.dataset, { state: gl ? "ready" : "no-webgl", event: number, points: event.sides.reco.n });
}
const toUrl = () => history.replaceState(null, "", `#event=${state.number}&color=${$("color").value}`);
function follow() {
  const asked = new URLSearchParams(location.hash.slice(1)), color = asked.get("color");
  if ([...$("color").options].some((o) => o.value === color)) $("color").value = color;
  return show(asked.get("event") ?? state.number ?? settings.events[0]?.number ?? 0);
}
function pick(x, y) { // side and point under the pointer
  const pane = panes().findLast((p) => x >= p.x) ?? panes()[0], m = matrix(pane.width / pane.height);
  const side = state.event.sides[pane.name], places = side.points, raw = $("raw").checked;
  let best = null, least = 64;
  for (let i = 0; i < side.n; i++) {
    if (side.particle[i] === NONE && !raw) continue;
    const at = (k) => m[k] * places[3 * i] + m[4 + k] * places[3 * i + 1] + m[8 + k] * places[3 * i + 2] + m[12 + k];
    const w = at(3), dx = pane.x + (at(0) / w + 1) / 2 * pane.width - x, dy = (1 - at(1) / w) / 2 * pane.height - y;
    const cost = dx * dx + dy * dy + 4 * w / view.distance;
    if (w > 0 && cost < least) [least, best] = [cost, { side: pane.name, point: i, row: side.particle[i] }];
  }
  return best;
}
function card(h) {
  const side = state.event.sides[h.side], p = side.particles, r = h.row, [low, high] = state.event.charge;
  const charge = ["charge", `${(low * (high / low) ** (side.charge[h.point] / 255)).toPrecision(2)} MeV`];
  const number = (v, unit = "") => v == null ? "–" : `${+v.toPrecision(3)} ${unit}`.trim();
  const lines = r === NONE ? [["point", "in no particle"], ["class", settings.shape.names[side.shape[h.point]] ?? "–"]] : [
    ["particle", `${p.id[r]}${p.is_primary[r] ? ", primary" : ""}`], ["class", settings.shape.names[p.shape[r]] ?? "–"],
    ["species", (settings.pid.names[p.pid[r]] ?? "–") + (p.score ? ` (score ${number(p.score[r])})` : "")],
    ["kinetic energy", number(p.ke[r], "MeV")], ["length", number(p.length[r], "cm")],
    ["points", `${p.size[r]}${p.is_contained[r] ? ", contained" : ""}`],
    ["interaction", p.interaction_id[r] < 0 ? "–" : p.interaction_id[r]],
    ["match", p.match[r] < 0 ? "none" : `${p.match[r]}, overlap ${number(p.overlap[r])}`]];
  return `<table>${[...lines, charge].map(([k, v]) => `<tr><td>${k}</td><td>${text(v)}</td></tr>`).join("")}</table>`;
}
function hover(e) {
  const found = state.event && gl ? pick(e.offsetX, e.offsetY) : null, style = $("card").style;
  const key = (h) => h && `${h.side} ${h.row}`, changed = key(found) !== key(state.hover);
  state.hover = found;
  style.display = found ? "block" : "none";
  if (found) {
    $("card").innerHTML = card(found);
    style.left = `${Math.min(e.offsetX + 14, canvas.clientWidth - $("card").offsetWidth - 4)}px`;
    style.top = `${Math.min(e.offsetY + 14, canvas.clientHeight - $("card").offsetHeight - 4)}px`;
  }
  if (changed) refresh();
}
function listen() {
  const go = (event) => event && show(event.number).then(toUrl);
  const step = (by) => go(settings.events[settings.events.findIndex((e) => e.number == state.number) + by]);
  $("event").onchange = () => go({ number: $("event").value });
  for (const [id, by] of [["previous", -1], ["next", 1]]) $(id).onclick = () => step(by);
  addEventListener("keydown", (e) => { if (e.target.tagName !== "SELECT") step({ ArrowLeft: -1, ArrowRight: 1 }[e.key] ?? NaN); });
  $("color").onchange = () => { refresh(); toUrl(); };
  for (const box of document.querySelectorAll("input")) box.onchange = refresh;
  $("reset").onclick = canvas.ondblclick = () => { resetView(); draw(); };
  const picture = () => (draw(), { href: canvas.toDataURL(), download: `event_${state.number}.png` });
  $("png").onclick = () => Object.assign(document.createElement("a"), picture()).click();
  for (const [name, act] of [["hashchange", follow], ["resize", draw]]) addEventListener(name, act);
  canvas.onpointerdown = (e) => canvas.setPointerCapture(e.pointerId);
  canvas.oncontextmenu = (e) => e.preventDefault();
  canvas.onpointermove = (e) => {
    if (!e.buttons) return hover(e);
    const [right, up] = axes(), move = view.distance / canvas.clientHeight;
    if (e.shiftKey || e.buttons > 1) view.center = sum(sum(view.center, right, -e.movementX * move), up, e.movementY * move);
    else { view.yaw -= e.movementX / 200; view.pitch = Math.max(-1.57, Math.min(1.57, view.pitch + e.movementY / 200)); }
    draw();
  };
  canvas.onwheel = (e) => { e.preventDefault(); view.distance *= Math.exp(e.deltaY / 900); draw(); };
}

const failed = (error) => say(`The event cannot be shown: ${document.body.dataset.error = error?.message ?? error}`);
addEventListener("error", (e) => failed(e.error ?? e.message));
addEventListener("unhandledrejection", (e) => failed(e.reason));
$("event").append(...settings.events.map((e) => new Option(e.label, e.number)));
if (gl) compile();
listen();
if (typeof DecompressionStream === "undefined") say("This browser is too old: it lacks DecompressionStream.");
else follow().then(() => gl || say("This browser does not offer WebGL: turn on its hardware acceleration, or use another one."));
