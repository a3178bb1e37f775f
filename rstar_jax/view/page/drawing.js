// The picture: shapes, labels and edges in SVG. Elements are made once; `paint` sets what changes.

const style = getComputedStyle(document.documentElement);
const TEXT = { from: 14, most: 180, font: `12px ${style.getPropertyValue("--mono")}` };
const ROOT_TEXT = { from: 20, most: 180, font: `600 13px ${style.getPropertyValue("--sans")}` };

const polygon = (...points) => `M${points.map((point) => point.join()).join("L")}Z`;
const star = [...Array(10)].map((_, i) => {
  const [angle, radius] = [(i * Math.PI) / 5, i % 2 ? 0.62 : 1.4];
  return [radius * Math.sin(angle), -radius * Math.cos(angle)].map((number) => number.toFixed(3));
});
const circle = "M1,0A1,1 0 1 1 -1,0A1,1 0 1 1 1,0Z";
const SHAPES = {
  root: polygon([-1, -1], [0.5, -1], [1.4, 0], [0.5, 1], [-1, 1]),
  inner: circle,
  right: polygon(...star),
  wrong: polygon(
    [-1.2, -0.6],
    [-0.6, -1.2],
    [0, -0.6],
    [0.6, -1.2],
    [1.2, -0.6],
    [0.6, 0],
    [1.2, 0.6],
    [0.6, 1.2],
    [0, 0.6],
    [-0.6, 1.2],
    [-1.2, 0.6],
    [-0.6, 0],
  ),
  ungraded: polygon([-0.95, -0.95], [0.95, -0.95], [0.95, 0.95], [-0.95, 0.95]),
  failed: polygon([0, -1.2], [1.25, 0.95], [-1.25, 0.95]),
};
const STATUS = {
  root: "question",
  inner: "step",
  right: "right answer",
  wrong: "wrong answer",
  ungraded: "answer, not graded",
  failed: "failed",
};

// As much of a text as fits into the width, and its width.
const ruler = document.createElement("canvas").getContext("2d");
function fitted(text, { most, font }) {
  ruler.font = font;
  const width = (some) => ruler.measureText(some).width;
  if (width(text) <= most) return { text, width: width(text) };
  const letters = Array.from(text);
  let [least, length] = [0, letters.length];
  while (least < length) {
    const middle = (least + length + 1) >> 1;
    if (width(letters.slice(0, middle).join("") + "…") <= most) least = middle;
    else length = middle - 1;
  }
  const cut = letters.slice(0, least).join("").trimEnd() + "…";
  return { text: cut, width: width(cut) };
}

function badgesOf(node, { ranks, chosen, rejected }) {
  const found = ranks.map((rank) => ["sft-mark", `S${rank}`]);
  if (node.count > 1) found.unshift(["times", `×${node.count}`]);
  if (chosen) found.push(["pair-mark chosen", "+"]);
  if (rejected) found.push(["pair-mark rejected", "−"]);
  return found;
}

function badge(name, letters, x) {
  const [plate, words] = [svg("rect", { y: -7.5, height: 15, rx: 4 }), svg("text", { y: 3.8 })];
  const box = svg("g", { class: `badge ${name}`, transform: `translate(${x},0)` }, plate, words);
  const one = { box, plate, words };
  return Object.assign(one, { width: write(one, letters) });
}

function write({ plate, words }, letters) {
  const width = 9 + 7 * letters.length;
  if (words.textContent !== letters) words.textContent = letters;
  put(words, "x", width / 2);
  put(plate, "width", width);
  return width;
}

class Drawing {
  // marks: by node, what `training_data` knows of it.
  constructor(model, marks) {
    this.model = model;
    this.items = model.nodes.map((node, number) => this.#item(node, number, marks[number]));
    document.getElementById("edges").append(...this.items.map((item) => item.edge));
    document.getElementById("nodes").append(...this.items.map((item) => item.group));
  }

  #item(node, number, marks) {
    const shape = svg("path", { class: "shape" });
    const group = svg("g", { id: `node-${number}`, role: "treeitem" });
    const kind = number ? TEXT : ROOT_TEXT;
    const label = fitted(node.label, kind);
    const text = svg("text", { class: "label", x: kind.from, y: 4 }, label.text);
    let end = kind.from + label.width;
    const badges = badgesOf(node, marks).map(([name, letters]) => {
      const one = badge(name, letters, end + 5);
      end += 5 + one.width;
      return one.box;
    });
    const inner = this.model.children[number].length > 0;
    const fold = inner ? badge("fold", "−", end + 9) : null; // over the beginning of the edges
    const plate = svg("rect", { class: "plate", x: -14, y: -11.5, width: end + 14 + 6, height: 23, rx: 6 });
    const rings = ["mark", "state"].map((name) => svg("circle", { class: `ring ${name}` }));
    const dot = svg("g", {}, ...rings, shape);
    const title = svg("title");
    group.append(plate, dot, text, ...badges, ...(fold ? [fold.box] : []), title);
    return { group, dot, shape, title, fold, rings, end, edge: svg("path"), sft: marks.sft };
  }

  // state: found (set of nodes, or null without a search), fresh (set of nodes), walked (set of nodes).
  paint(state) {
    const visible = new Set(this.model.walk());
    this.items.forEach((item, number) => {
      for (const element of [item.group, item.edge]) put(element, "display", visible.has(number) ? "inline" : "none");
      if (visible.has(number)) this.#paintNode(item, number, state);
      else {
        put(item.group, "class", "node");
        put(item.group, "aria-selected", false);
      }
    });
    const edges = document.getElementById("edges");
    for (const number of this.model.best) edges.append(this.items[number].edge); // over the others
  }

  #paintNode(item, number, { found, fresh, walked }) {
    const { model } = this;
    const [visits, status] = [model.visits[number], model.status(number)];
    const folded = model.folded.has(number) && model.hasChildren(number);
    const is = {
      best: model.best.has(number),
      sft: item.sft,
      selected: model.selected === number,
      found: found?.has(number),
      faded: found && !found.has(number) && !(folded && model.below(number).some((node) => found.has(node))),
      fresh: fresh.has(number),
      walked: walked.has(number),
      folded,
      childless: !model.hasChildren(number),
    };
    const classes = Object.keys(is)
      .filter((name) => is[name])
      .join(" ");
    const radius = 4.5 + 5 * Math.sqrt(visits / Math.max(1, model.visits[0]));
    put(item.group, "class", `node ${status} ${model.colour(number)} ${classes}`);
    put(item.edge, "class", classes);
    put(item.shape, "d", SHAPES[status]);
    put(item.shape, "transform", `scale(${radius.toFixed(2)})`);
    for (const ring of item.rings) put(ring, "r", (radius + 3.5).toFixed(2));
    if (item.fold) write(item.fold, folded ? `+${model.below(number).length}` : "−");
    this.#describe(item, number, status, is);
  }

  #describe(item, number, status, is) {
    const { model } = this;
    const { group, title } = item;
    const siblings = number ? model.children[model.nodes[number].parent].filter((child) => model.exists(child)) : [0];
    const parts = [
      `${number}: ${model.nodes[number].label}`,
      STATUS[status],
      `visits ${model.visits[number]}`,
      `Q ${model.q[number].toFixed(2)}`,
    ];
    if (is.best) parts.push("on the best path");
    if (is.sft) parts.push("in an SFT trajectory");
    if (group.getAttribute("aria-label") !== parts.join(", ")) title.textContent = parts.join(" · ");
    put(group, "aria-label", parts.join(", "));
    put(group, "aria-level", model.depth[number] + 1);
    put(group, "aria-posinset", siblings.indexOf(number) + 1);
    put(group, "aria-setsize", siblings.length);
    put(group, "aria-selected", is.selected);
    if (is.childless) group.removeAttribute("aria-expanded");
    else put(group, "aria-expanded", !is.folded);
  }
}
