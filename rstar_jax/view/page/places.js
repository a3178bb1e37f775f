// Where things are on the picture: puts nodes and edges at their places, moves them when branches fold, and knows the two
// ways of looking: near, with labels, and far, where the tree is as wide as the window however high it is.

const FAR = 0.55; // scale below which labels are too small to be read
const MARGIN = 28; // pixels around a tree that is fitted into the window
const DOT = 0.34; // scale of the dots that a smaller picture still has

const curve = (x, y, toX, toY) => {
  const middle = ((x + toX) / 2).toFixed(1);
  return `M${x.toFixed(1)},${y.toFixed(1)}C${middle},${y.toFixed(1)} ${middle},${toY.toFixed(1)} ${toX.toFixed(1)},${toY.toFixed(1)}`;
};

// From the end of a label straight to the end of its column, and on in a curve.
const bentLine = (x, y, toX, toY) =>
  x < toX - BEND
    ? `M${x.toFixed(1)},${y.toFixed(1)}L` + curve(toX - BEND, y, toX, toY).slice(1)
    : curve(x, y, toX, toY);

class Places {
  constructor(model, drawing, picture) {
    Object.assign(this, { model, drawing, picture, k: 1, stretch: 1 });
    this.ends = drawing.items.map((item) => item.end);
    this.goal = this.at = placesOf(model, this.ends);
  }

  // New places after folding; `anchor` stays where it is. Takes some frames, unless motion is unwanted.
  arrange(anchor, moves = !matchMedia("(prefers-reduced-motion: reduce)").matches) {
    const { x, y } = this.at;
    const goal = placesOf(this.model, this.ends);
    const by = { x: x[anchor] - goal.x[anchor], y: y[anchor] - goal.y[anchor] };
    this.goal = { ...goal, x: goal.x.map((place) => place + by.x), y: goal.y.map((place) => place + by.y) };
    cancelAnimationFrame(this.frame);
    if (moves) this.#move({ x, y }, performance.now());
    else this.#draw(this.goal);
  }

  #move(from, began) {
    const step = (now) => {
      const part = Math.max(0, Math.min(1, (now - began) / 180));
      const between = (axis) =>
        this.goal[axis].map((goal, node) => from[axis][node] + (goal - from[axis][node]) * (1 - (1 - part) ** 3));
      this.#draw({ x: between("x"), y: between("y") });
      if (part < 1) this.frame = requestAnimationFrame(step);
    };
    this.frame = requestAnimationFrame(step);
  }

  #draw(at) {
    this.at = at;
    const { drawing, stretch } = this;
    const far = this.k < FAR;
    const dot = `scale(${Math.max(1, DOT / this.k).toFixed(3)})`;
    for (const node of this.goal.shown) {
      const [item, x, y] = [drawing.items[node], at.x[node] * stretch, at.y[node]];
      item.group.setAttribute("transform", `translate(${x.toFixed(1)},${y.toFixed(1)})`);
      put(item.dot, "transform", dot);
      if (node === 0) continue;
      const parent = this.model.nodes[node].parent;
      const [from, above] = [at.x[parent] * stretch, at.y[parent]];
      item.edge.setAttribute("d", far ? curve(from, above, x, y) : bentLine(from + this.ends[parent] + 8, above, x, y));
    }
  }

  // Draws for a scale.
  show(k, stretch) {
    const changes = k < FAR || this.k < FAR || !this.drawn;
    Object.assign(this, { k, stretch, drawn: true });
    if (!changes) return; // near, only the camera moves
    this.picture.classList.toggle("far", k < FAR);
    this.#draw(this.at);
  }

  // How much wider than high the picture is drawn: a far tree is never narrower than the window.
  stretchAt(k, width) {
    return k < FAR ? Math.max(1, Math.min(FAR, (width - 2 * MARGIN) / this.goal.breadth) / k) : 1;
  }

  // The box of some nodes on the unstretched picture, by default of all that can be unfolded; far ones have no labels.
  box(nodes = this.goal.shown, far = this.k < FAR) {
    const { x, y } = this.goal;
    return {
      left: Math.min(...nodes.map((node) => x[node] - (far ? 0 : 16))),
      right: Math.max(...nodes.map((node) => x[node] + (far ? 0 : this.ends[node] + FOLDED))),
      top: Math.min(...nodes.map((node) => y[node])) - (far ? 0 : 16),
      bottom: Math.max(...nodes.map((node) => y[node])) + (far ? 0 : 16),
    };
  }

  // The node nearest to a point of the picture, if it is within so many pixels of the screen.
  nearest(px, py, within) {
    const { x, y } = this.at;
    const distance = (node) => Math.hypot(x[node] * this.stretch - px, y[node] - py) * this.k;
    const visible = [...this.model.walk()];
    const best = visible.reduce((one, other) => (distance(other) < distance(one) ? other : one));
    return distance(best) <= within ? best : null;
  }
}
