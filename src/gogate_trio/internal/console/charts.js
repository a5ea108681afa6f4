// Cards with a number and its last two minutes as a line.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 200;
const HEIGHT = 34;

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  // Never as markup: names and reasons are other people's words.
  if (text !== undefined) made.textContent = text;
  return made;
}

/** A card; `show` puts a number, a note and a line into it. */
class Card {
  constructor(title, name) {
    this.root = element("article", "card");
    this.root.dataset.testid = name;
    this.value = element("p", "value");
    this.note = element("p", "note");
    this.chart = document.createElementNS(SVG, "svg");
    this.chart.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.chart.setAttribute("preserveAspectRatio", "none");
    this.chart.setAttribute("aria-hidden", "true");
    this.area = document.createElementNS(SVG, "path");
    this.area.setAttribute("class", "area");
    this.line = document.createElementNS(SVG, "path");
    this.line.setAttribute("class", "line");
    this.chart.append(this.area, this.line);
    this.root.append(element("h2", "", title), this.value, this.note, this.chart);
  }

  show({ value, unit = "", note = "", values = [], isBad = false }) {
    this.value.replaceChildren(value, element("small", "", unit && ` ${unit}`));
    this.note.textContent = note;
    this.note.title = note;
    this.root.classList.toggle("bad", isBad);
    const path = linePath(values);
    this.line.setAttribute("d", path);
    this.area.setAttribute("d", path && `${path} V${HEIGHT} H${startOf(values)} Z`);
  }
}

/** Newest at the right edge; as high as the highest of them. */
function linePath(values) {
  if (values.length < 2) return "";
  const top = Math.max(...values, 1e-9);
  const left = startOf(values);
  return values.map((value, index) => {
    const x = left + (index * WIDTH) / (KEPT - 1);
    return `${index ? "L" : "M"}${x.toFixed(1)} ${(HEIGHT - 1.5 - (value / top) * (HEIGHT - 4)).toFixed(1)}`;
  }).join(" ");
}

function startOf(values) {
  return Math.max(0, WIDTH - ((values.length - 1) * WIDTH) / (KEPT - 1)).toFixed(1) * 1;
}
