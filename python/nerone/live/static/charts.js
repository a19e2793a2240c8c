// Small charts, drawn by hand: lines over the last two minutes, each on its own scale, and one bar per stage.

const colours = ["#6cb6ff", "#ffb454"];
const kept = 240;
const density = 2;

const written = (value) => value.toFixed(value < 10 ? 1 : 0);

export class LineChart {
  // names and units: of each line. shared: whether all lines have one scale.
  constructor(canvas, names, units, shared) {
    Object.assign(this, { canvas, names, units, shared, values: [] });
  }

  push(values) {
    this.values.push(values.map((value) => (Number.isFinite(value) ? value : null)));
    if (this.values.length > kept) this.values.shift();
    this.draw();
  }

  top(line) {
    const values = this.shared ? this.values.flat() : this.values.map((all) => all[line]);
    return Math.max(1e-9, ...values.filter((value) => value !== null));
  }

  draw() {
    const context = this.canvas.getContext("2d");
    const width = this.canvas.clientWidth;
    const height = this.canvas.clientHeight;
    if (this.canvas.width !== density * width) this.canvas.width = density * width;
    if (this.canvas.height !== density * height) this.canvas.height = density * height;
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = "11px system-ui, sans-serif";
    context.lineWidth = 1.5;
    this.names.forEach((name, line) => {
      const top = this.top(line);
      const newest = this.values[this.values.length - 1][line];
      context.strokeStyle = context.fillStyle = colours[line];
      context.setLineDash(line === 0 ? [] : [4, 2]);
      context.beginPath();
      let open = false;
      this.values.forEach((values, i) => {
        if (values[line] === null) return (open = false);
        const x = (i / (kept - 1)) * width;
        const y = height - 2 - (values[line] / top) * (height - 18);
        if (open) context.lineTo(x, y);
        else context.moveTo(x, y);
        return (open = true);
      });
      context.stroke();
      const label = `${name} ${newest === null ? "n/a" : written(newest) + this.units[line]}`;
      context.fillText(label, line === 0 ? 3 : width - context.measureText(label).width - 3, 11);
    });
    this.canvas.dataset.points = String(this.values.length);
    this.canvas.dataset.measured = String(this.values.filter((values) => values[0] !== null).length);
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
