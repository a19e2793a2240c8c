// Draws the frame and the coloured masks over it, pixel for pixel at the image's own size.

const captions = { image: "input", int8: "INT8", fp32: "FP32", truth: "ground truth" };

function colourOf(text) {
  return [1, 3, 5].map((start) => parseInt(text.slice(start, start + 2), 16));
}

// The views a mode shows: [caption, mask or null, share of the width from which the mask is drawn].
export function viewsOf(state) {
  const masks = ["int8", "fp32", "truth"].filter((name) => state.frame.parts[name]);
  if (state.mode === "side") return ["image", ...masks].map((name) => [captions[name], name === "image" ? null : name, 0]);
  const from = state.mode === "swipe" ? state.swipe : 0;
  return masks.length > 0 ? [[captions[masks[0]], masks[0], from]] : [[captions.image, null, 0]];
}

function figureOf(container, position) {
  const existing = container.children[position];
  if (existing) return existing;
  const figure = document.createElement("figure");
  figure.append(document.createElement("canvas"), document.createElement("figcaption"));
  container.append(figure);
  return figure;
}

function paintMask(pixels, mask, width, firstColumn, state) {
  const colours = state.hello.bundle.classes.map((entry) => colourOf(entry.colour));
  const a = state.opacity;
  for (let i = 0; i < mask.length; ++i) {
    const id = mask[i];
    if (id === 0 || state.hidden.has(id) || !colours[id] || i % width < firstColumn) continue;
    for (let c = 0; c < 3; ++c) pixels[4 * i + c] = Math.round((1 - a) * pixels[4 * i + c] + a * colours[id][c]);
  }
}

export function drawViews(container, state) {
  const { frame } = state;
  const views = viewsOf(state);
  while (container.children.length > views.length) container.lastChild.remove();
  views.forEach(([caption, maskName, from], position) => {
    const figure = figureOf(container, position);
    const [canvas, label] = figure.children;
    canvas.dataset.view = maskName || "image";
    if (canvas.width !== frame.width) canvas.width = frame.width;
    if (canvas.height !== frame.height) canvas.height = frame.height;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(frame.parts.image, 0, 0);
    if (maskName) {
      const picture = context.getImageData(0, 0, frame.width, frame.height);
      paintMask(picture.data, frame.parts[maskName], frame.width, Math.round(from * frame.width), state);
      context.putImageData(picture, 0, 0);
    }
    label.textContent = caption;
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
