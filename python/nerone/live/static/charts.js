// Two small charts, drawn by hand: lines over the last two minutes, and one bar per stage.

const colours = ["#6cb6ff", "#ffb454"];
const kept = 240;

export class LineChart {
  constructor(canvas, names, unit) {
    this.canvas = canvas;
    this.names = names;
    this.unit = unit;
    this.values = [];
  }

  push(values) {
    this.values.push(values);
    if (this.values.length > kept) this.values.shift();
    this.draw();
  }

  draw() {
    const { canvas } = this;
    const context = canvas.getContext("2d");
    const top = Math.max(1e-9, ...this.values.flat().filter((value) => Number.isFinite(value)));
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.font = "11px system-ui, sans-serif";
    this.names.forEach((name, line) => {
      context.strokeStyle = context.fillStyle = colours[line];
      context.beginPath();
      this.values.forEach((values, i) => {
        const x = (i / (kept - 1)) * canvas.width;
        const y = canvas.height - 2 - (values[line] / top) * (canvas.height - 18);
        if (i === 0) context.moveTo(x, y);
        else context.lineTo(x, y);
      });
      context.stroke();
      context.fillText(name, 4 + 36 * line, 11);
    });
    context.fillStyle = "#b9c3d0";
    const label = `${top.toFixed(top < 100 ? 1 : 0)}${this.unit}`;
    context.fillText(label, canvas.width - context.measureText(label).width - 3, 11);
    canvas.dataset.points = String(this.values.length);
  }
}

export function showStages(container, stages) {
  const longest = Math.max(1e-9, ...Object.values(stages));
  const rows = Object.entries(stages).map(([name, milliseconds]) => {
    const row = document.createElement("div");
    const bar = document.createElement("span");
    bar.className = "bar";
    bar.style.width = `${(100 * milliseconds) / longest}%`;
    row.append(name, bar, `${milliseconds.toFixed(2)} ms`);
    return row;
  });
  container.replaceChildren(...rows);
}
