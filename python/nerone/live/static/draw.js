// Draws the frame and the coloured masks over it, pixel for pixel at the image's own size.

export const captions = { image: "input", int8: "INT8", fp32: "FP32", truth: "ground truth" };
const order = ["int8", "fp32", "truth"];

// What can be seen of the frame: the input, and the masks that are there.
export const choicesOf = (frame) => ["image", ...order.filter((name) => frame.parts[name])];

function colourOf(text) {
  return [1, 3, 5].map((start) => parseInt(text.slice(start, start + 2), 16));
}

// The views of a mode: what is painted left of the swipe, what right of it, and where it is (0 to 1 of the width).
export function viewsOf(state) {
  const there = choicesOf(state.frame);
  const chosen = (name) => (there.includes(name) ? name : there[1] || "image");
  if (state.mode === "side") {
    const waiting = state.floatModel && !there.includes("fp32") && there.length > 1 ? ["fp32"] : [];
    return [...there, ...waiting].map((name) => ({ left: name, right: name, at: 0 }));
  }
  const left = there.includes(state.left) ? state.left : "image";
  if (state.mode === "swipe") return [{ left, right: chosen(state.right), at: state.swipe }];
  return [{ left: chosen(state.right), right: chosen(state.right), at: 0 }];
}

function figureOf(container, position) {
  const existing = container.children[position];
  if (existing) return existing;
  const figure = document.createElement("figure");
  figure.append(document.createElement("canvas"), document.createElement("figcaption"));
  container.append(figure);
  return figure;
}

// Paints the columns [from, to) of a mask.
function paintMask(pixels, mask, width, from, to, state) {
  const colours = state.hello.bundle.classes.map((entry) => colourOf(entry.colour));
  const a = state.opacity;
  for (let i = 0; i < mask.length; ++i) {
    const id = mask[i];
    const column = i % width;
    if (id === 0 || column < from || column >= to || state.hidden.has(id) || !colours[id]) continue;
    for (let c = 0; c < 3; ++c) pixels[4 * i + c] = Math.round((1 - a) * pixels[4 * i + c] + a * colours[id][c]);
  }
}

function agreement(frame) {
  const { int8, fp32 } = frame.parts;
  let equal = 0;
  for (let i = 0; i < int8.length; ++i) equal += int8[i] === fp32[i];
  return ((100 * equal) / int8.length).toFixed(1);
}

function captionOf(view, frame) {
  if (view.left !== view.right) return `${captions[view.left]} | ${captions[view.right]}`;
  if (view.right !== "fp32") return captions[view.right];
  return frame.parts.fp32 ? `FP32, equal to INT8 in ${agreement(frame)} % of pixels` : "FP32: not computed yet";
}

export function drawViews(container, state) {
  const { frame } = state;
  const views = viewsOf(state);
  while (container.children.length > views.length) container.lastChild.remove();
  container.dataset.count = String(views.length);
  views.forEach((view, position) => {
    const [canvas, label] = figureOf(container, position).children;
    canvas.dataset.view = view.right;
    if (canvas.width !== frame.width) canvas.width = frame.width;
    if (canvas.height !== frame.height) canvas.height = frame.height;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(frame.parts.image, 0, 0);
    const at = Math.round(view.at * frame.width);
    const painted = [[view.left, 0, at], [view.right, at, frame.width]].filter(([name]) => frame.parts[name] && name !== "image");
    if (painted.length > 0) {
      const picture = context.getImageData(0, 0, frame.width, frame.height);
      for (const [name, from, to] of painted) paintMask(picture.data, frame.parts[name], frame.width, from, to, state);
      context.putImageData(picture, 0, 0);
    }
    label.textContent = captionOf(view, frame);
  });
}

// All views side by side as one PNG, as an object URL.
export async function snapshot(container) {
  const canvases = [...container.querySelectorAll("canvas")];
  const sheet = document.createElement("canvas");
  sheet.width = canvases.reduce((sum, canvas) => sum + canvas.width, 0);
  sheet.height = Math.max(...canvases.map((canvas) => canvas.height));
  let x = 0;
  for (const canvas of canvases) {
    sheet.getContext("2d").drawImage(canvas, x, 0);
    x += canvas.width;
  }
  return URL.createObjectURL(await new Promise((done) => sheet.toBlob(done, "image/png")));
}
