// The page's one state, its connection and its controls. Drawing is in draw.js, charts in charts.js.
import { drawViews, viewsOf, snapshot } from "./draw.js";
import { LineChart, showStages } from "./charts.js";

const byId = (id) => document.getElementById(id);
const state = {
  hello: null,
  frame: null,
  playing: false,
  mode: "overlay",
  opacity: 0.5,
  swipe: 0.5,
  hidden: new Set(),
};
let socket = null;
let dragging = false;

function showMessage(text) {
  byId("message").textContent = text || "";
  byId("message").hidden = !text;
}

function send(message) {
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function redraw() {
  if (state.hello && state.frame) drawViews(byId("views"), state);
}

function fillSelect(select, values, current) {
  select.replaceChildren(...values.map(([value, text]) => new Option(text, value, false, value === current)));
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
  byId("device").textContent = hello.bundle.device;
  document.title = `NERONE live: ${hello.bundle.name}`;
  const segmentation = hello.bundle.kind === "segmentation";
  byId("probabilities").hidden = segmentation;
  byId("class-controls").hidden = !segmentation;
  byId("masks").hidden = !segmentation;
  showClasses(hello.bundle.classes);
  fillSelect(byId("backend"), hello.backends.map((name) => [name, name]), hello.backend);
  const threads = Array.from({ length: hello.threads.max }, (_, i) => String(i + 1));
  fillSelect(byId("threads"), threads.map((n) => [n, n]), String(hello.threads.current));
  byId("window-label").hidden = hello.windows.length === 0;
  fillSelect(byId("window"), hello.windows.map((w, i) => [String(i), w.name]), "0");
  byId("position").max = String(Math.max(0, hello.source.count - 1));
  setPlaying(hello.playing);
}

function setPlaying(playing) {
  state.playing = playing;
  byId("play").textContent = playing ? "Pause" : "Play";
  byId("play").setAttribute("aria-pressed", String(playing));
}

const fpsChart = new LineChart(byId("chart-fps"), ["FPS"], "");
const latencyChart = new LineChart(byId("chart-latency"), ["p50", "p99"], " ms");
const text = (value, digits, unit = "") => (value === null || value === undefined ? "n/a" : value.toFixed(digits) + unit);

function onStatistics(s) {
  byId("fps").textContent = text(s.fps, 1);
  byId("p50").textContent = text(s.latency_ms.p50, 1, " ms");
  byId("p99").textContent = text(s.latency_ms.p99, 1, " ms");
  byId("watts").textContent = text(s.watts, 1);
  byId("efficiency").textContent = text(s.fps_per_watt, 2);
  byId("utilisation").textContent = s.utilisation === null ? "n/a" : text(100 * s.utilisation, 0, " %");
  byId("queue").textContent = text(s.queue, 0);
  byId("frames").textContent = String(s.frames);
  fpsChart.push([s.fps]);
  latencyChart.push([s.latency_ms.p50, s.latency_ms.p99]);
  showStages(byId("stages"), s.stages_ms);
  if (s.backend !== byId("backend").value) byId("backend").value = s.backend;
}

function showProbabilities(values) {
  const classes = state.hello.bundle.classes;
  const order = values.map((p, id) => [p, id]).sort((a, b) => b[0] - a[0]).slice(0, 5);
  const rows = order.map(([p, id]) => {
    const row = document.createElement("li");
    const bar = document.createElement("span");
    bar.className = "bar";
    bar.style.width = `${100 * p}%`;
    const share = document.createElement("span");
    share.textContent = `${(100 * p).toFixed(1)} %`;
    row.append(classes[id] ? classes[id].name : `class ${id}`, bar, share);
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
  byId("position-text").textContent = `${frame.index + 1} / ${state.hello.source.count}`;
  if (frame.probabilities) showProbabilities(frame.probabilities);
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
      frames = frames.then(() => onFrame(event.data)).then(() => send({ type: "shown" }));
      return;
    }
    const message = JSON.parse(event.data);
    if (message.type === "hello") onHello(message);
    else if (message.type === "statistics") onStatistics(message);
    else if (message.type === "playing") setPlaying(message.playing);
    else if (message.type === "error") showMessage(message.text);
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

async function upload(file) {
  const answer = await fetch(`api/upload?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
  if (!answer.ok) showMessage(await answer.text());
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
  byId("swipe-label").hidden = state.mode !== "swipe";
  redraw();
});
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
byId("upload").addEventListener("change", (event) => event.target.files[0] && upload(event.target.files[0]));
for (const name of ["dragover", "dragleave", "drop"]) {
  byId("drop").addEventListener(name, (event) => {
    event.preventDefault();
    byId("drop").classList.toggle("over", name === "dragover");
    if (name === "drop" && event.dataTransfer.files[0]) upload(event.dataTransfer.files[0]);
  });
}
document.addEventListener("keydown", (event) => {
  if (["INPUT", "SELECT", "BUTTON"].includes(event.target.tagName)) return;
  if (event.key === " ") byId("play").click();
  else if (event.key === "ArrowLeft") byId("previous").click();
  else if (event.key === "ArrowRight") byId("next").click();
  else return;
  event.preventDefault();
});

export { viewsOf };
connect();
