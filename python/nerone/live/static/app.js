// The page's one state, its connection and its controls. Drawing is in draw.js, charts in charts.js.
import { captions, choicesOf, drawViews, snapshot } from "./draw.js";
import { LineChart, showStages } from "./charts.js";
import { acceptFiles } from "./files.js";

const byId = (id) => document.getElementById(id);
const state = {
  hello: null,
  frame: null,
  playing: false,
  mode: "overlay",
  opacity: 0.5,
  swipe: 0.5,
  left: "image",
  right: "int8",
  floatModel: false,
  hidden: new Set(),
};
// The cookie has the token by now: it leaves the address bar, the history and what a screenshot shows.
if (location.search) history.replaceState(null, "", location.pathname);
let socket = null;
let dragging = false;

// A failure of the run stays until the run recovers; an answer to something the visitor did goes by itself.
let fading = null;
function showMessage(text, lasting = true) {
  clearTimeout(fading);
  byId("message").textContent = text || "";
  byId("message").hidden = !text;
  if (text && !lasting) fading = setTimeout(() => showMessage(""), 8000);
}

function send(message) {
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function redraw() {
  if (state.hello && state.frame) drawViews(byId("views"), state);
}

// Options are replaced only where they changed, so that an open list stays open and a choice stays chosen.
function fillSelect(select, values, current) {
  const shown = JSON.stringify(values);
  if (select.dataset.options !== shown) {
    const chosen = select.value;
    select.replaceChildren(...values.map(([value, text]) => new Option(text, value)));
    select.dataset.options = shown;
    if (values.some(([value]) => value === chosen)) select.value = chosen;
  }
  if (current !== undefined) select.value = current;
}

// What can be compared: offered once it has been there, so that a mask that is late does not make the lists jump.
const offered = new Set(["image"]);
function offerMasks() {
  choicesOf(state.frame).forEach((name) => offered.add(name));
  const values = Object.keys(captions).filter((name) => offered.has(name)).map((name) => [name, captions[name]]);
  fillSelect(byId("left"), values, state.left);
  fillSelect(byId("right"), values, offered.has(state.right) ? state.right : "image");
}

function showClasses(classes) {
  const rows = classes.map((entry, id) => {
    const row = document.createElement("label");
    row.className = "class-row";
    const box = document.createElement("input");
    box.type = "checkbox";
    box.dataset.class = String(id);
    box.checked = !state.hidden.has(id);
    box.addEventListener("change", () => {
      if (box.checked) state.hidden.delete(id);
      else state.hidden.add(id);
      redraw();
    });
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.style.background = entry.colour;
    row.append(box, swatch, entry.name);
    return row;
  });
  byId("classes").replaceChildren(...rows);
}

function onHello(hello) {
  state.hello = hello;
  byId("bundle-name").textContent = hello.bundle.name;
  byId("device").textContent = `${hello.source.name} on ${hello.bundle.device}`;
  byId("note").textContent = hello.source.note;
  byId("note").hidden = hello.source.note === "";
  document.title = `NERONE live: ${hello.bundle.name}`;
  const segmentation = hello.bundle.kind === "segmentation";
  document.body.dataset.kind = hello.bundle.kind;
  byId("probabilities").hidden = segmentation;
  byId("class-controls").hidden = !segmentation;
  byId("masks").hidden = !segmentation;
  byId("drop-text").textContent = `Drop ${hello.source.holds} on the page, or choose`;
  showClasses(hello.bundle.classes);
  fillSelect(byId("backend"), hello.backends.map((name) => [name, name]), hello.backend);
  const threads = Array.from({ length: hello.threads.max }, (_, i) => String(i + 1));
  fillSelect(byId("threads"), threads.map((n) => [n, n]), String(hello.threads.current));
  byId("window-label").hidden = hello.windows.length === 0;
  fillSelect(byId("window"), hello.windows.map((w, i) => [String(i), w.name]));
  byId("position").max = String(Math.max(0, hello.source.count - 1));
  for (const id of ["position", "previous", "next"]) byId(id).disabled = hello.source.live;
  state.floatModel = hello.fp32.state === "loading" || hello.fp32.state === "ready";
  byId("fp32-state").hidden = hello.fp32.state === "" || hello.fp32.state === "ready";
  byId("view-controls").hidden = !segmentation && hello.windows.length === 0 && byId("fp32-state").hidden;
  byId("fp32-state").textContent = hello.fp32.error || "FP32: the trained model is being loaded";
  setPlaying(hello.playing);
}

function setPlaying(playing) {
  state.playing = playing;
  byId("play").textContent = playing ? "Pause" : "Play";
  byId("play").setAttribute("aria-pressed", String(playing));
}

const charts = {
  fps: new LineChart(byId("chart-fps"), ["FPS"], [""], true),
  latency: new LineChart(byId("chart-latency"), ["p50", "p99"], [" ms", " ms"], true),
  power: new LineChart(byId("chart-power"), ["power", "FPS/W"], [" W", ""], false),
  load: new LineChart(byId("chart-load"), ["device", "queue"], [" %", ""], false),
};
const text = (value, digits, unit = "") => (value === null || value === undefined ? "n/a" : value.toFixed(digits) + unit);

function onStatistics(s) {
  const use = s.utilisation === null ? null : 100 * s.utilisation;
  byId("fps").textContent = text(s.fps, 1);
  byId("p50").textContent = text(s.latency_ms.p50, 1, " ms");
  byId("p99").textContent = text(s.latency_ms.p99, 1, " ms");
  byId("watts").textContent = text(s.watts, 1);
  byId("efficiency").textContent = text(s.fps_per_watt, 2);
  byId("utilisation").textContent = text(use, 0, " %");
  byId("queue").textContent = text(s.queue, 0);
  byId("frames").textContent = String(s.frames);
  charts.fps.push([s.fps]);
  charts.latency.push([s.latency_ms.p50, s.latency_ms.p99]);
  charts.power.push([s.watts, s.fps_per_watt]);
  charts.load.push([use, s.queue]);
  showStages(byId("stages"), s.stages_ms);
  if (s.backend !== byId("backend").value) byId("backend").value = s.backend;
}

function share(name, value) {
  const bar = document.createElement("span");
  bar.className = `bar ${name}`;
  bar.style.width = `${100 * value}%`;
  const number = document.createElement("span");
  number.textContent = `${(100 * value).toFixed(1)} %`;
  return [bar, number];
}

// The five most probable classes of INT8, each with FP32's probability below it where there is one.
function showProbabilities(values, float) {
  const classes = state.hello.bundle.classes;
  const best = values.map((p, id) => [p, id]).sort((a, b) => b[0] - a[0]).slice(0, 5);
  const rows = best.map(([p, id]) => {
    const row = document.createElement("li");
    row.append(classes[id] ? classes[id].name : `class ${id}`, ...share("int8", p));
    if (float) row.append(float.indexOf(Math.max(...float)) === id ? "FP32 (its first)" : "FP32", ...share("fp32", float[id]));
    return row;
  });
  byId("probabilities").replaceChildren(...rows);
}

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// A frame message: header length (uint32, little endian), header (JSON), then the parts one after another.
async function onFrame(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const frame = { ...header, parts: {} };
  let offset = 4 + length;
  for (const part of header.parts) {
    const bytes = new Uint8Array(buffer, offset, part.length);
    offset += part.length;
    frame.parts[part.name] =
      part.encoding === "deflate" ? await inflate(bytes) : await createImageBitmap(new Blob([bytes], { type: part.encoding }));
  }
  if (state.frame && state.frame.sequence > frame.sequence) return;
  if (state.frame && state.frame.parts.image.close) state.frame.parts.image.close();
  state.frame = frame;
  if (!dragging) byId("position").value = String(frame.index);
  byId("position-text").textContent = state.hello.source.live ? "live" : `${frame.index + 1} / ${state.hello.source.count}`;
  if (frame.probabilities) showProbabilities(frame.probabilities, frame.probabilities_fp32);
  offerMasks();
  redraw();
  document.body.dataset.sequence = String(frame.sequence);
}

let frames = Promise.resolve();
function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/ws`);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => {
    byId("connection").textContent = "connected";
    showMessage("");
  };
  socket.onclose = (event) => {
    byId("connection").textContent = "disconnected";
    showMessage(event.reason || "The connection to NERONE was lost; trying again.");
    setTimeout(connect, 1000);
  };
  socket.onmessage = (event) => {
    if (event.data instanceof ArrayBuffer) {
      frames = frames
        .then(() => onFrame(event.data))
        .catch((error) => showMessage(`A frame cannot be shown (${error.message}).`, false))
        .then(() => send({ type: "shown" }));
      return;
    }
    const message = JSON.parse(event.data);
    if (message.type === "hello") onHello(message);
    else if (message.type === "statistics") onStatistics(message);
    else if (message.type === "playing") setPlaying(message.playing);
    else if (message.type === "error") showMessage(message.text, Boolean(message.lasting));
    else if (message.type === "recovered") showMessage("");
  };
}

function seek(index) {
  const last = Number(byId("position").max);
  send({ type: "seek", index: Math.min(last, Math.max(0, index)) });
}

function download(url) {
  const link = document.createElement("a");
  link.href = url;
  link.download = "";
  link.click();
}

byId("play").addEventListener("click", () => send({ type: state.playing ? "pause" : "play" }));
byId("previous").addEventListener("click", () => seek(Number(byId("position").value) - 1));
byId("next").addEventListener("click", () => seek(Number(byId("position").value) + 1));
byId("position").addEventListener("input", (event) => {
  dragging = true;
  seek(Number(event.target.value));
});
byId("position").addEventListener("change", () => (dragging = false));
byId("mode").addEventListener("change", (event) => {
  state.mode = event.target.value;
  for (const id of ["swipe-label", "left-label"]) byId(id).hidden = state.mode !== "swipe";
  byId("right-label").hidden = state.mode === "side";
  byId("right-name").textContent = state.mode === "swipe" ? "Right" : "Mask";
  redraw();
});
for (const id of ["left", "right"]) {
  byId(id).addEventListener("change", (event) => {
    state[id] = event.target.value;
    redraw();
  });
}
byId("opacity").addEventListener("input", (event) => {
  state.opacity = Number(event.target.value) / 100;
  redraw();
});
byId("swipe").addEventListener("input", (event) => {
  state.swipe = Number(event.target.value) / 100;
  redraw();
});
byId("window").addEventListener("change", (event) => {
  const chosen = state.hello.windows[Number(event.target.value)];
  send({ type: "window", low: chosen.low, high: chosen.high });
});
for (const id of ["backend", "threads"]) {
  byId(id).addEventListener("change", () =>
    send({ type: "backend", name: byId("backend").value, threads: Number(byId("threads").value) }));
}
byId("snapshot").addEventListener("click", async () => download(await snapshot(byId("views"))));
byId("masks").addEventListener("click", () => download("api/masks.nii.gz"));
byId("statistics").addEventListener("click", () => download("api/statistics.csv"));
acceptFiles(byId("upload"), byId("drop"), () => state.hello.upload.max_bytes, (refused) => showMessage(refused, false));
document.addEventListener("keydown", (event) => {
  if (["INPUT", "SELECT", "BUTTON"].includes(event.target.tagName)) return;
  if (event.key === " ") byId("play").click();
  else if (event.key === "ArrowLeft") byId("previous").click();
  else if (event.key === "ArrowRight") byId("next").click();
  else return;
  event.preventDefault();
});

connect();
