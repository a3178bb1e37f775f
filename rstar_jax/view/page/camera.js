// Zoom and position of the picture: wheel, pinch, drag, and moves on demand.

const ZOOM = { least: 0.04, most: 3, step: 1.3, fitted: 1.25 };
const DRAG = 4; // pixels that a pointer moves before a press is no click any more

class Camera {
  // stretchAt(k): how much wider than high the picture is at a scale; onChange is told both
  // after every change.
  constructor(svg, layer, { stretchAt, onChange }) {
    Object.assign(this, { svg, layer, stretchAt, onChange, x: 0, y: 0, k: 1 });
    this.size = { width: svg.clientWidth, height: svg.clientHeight }; // kept, as to ask for it costs a layout
    this.pointers = new Map();
    this.dragged = false;
    svg.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    svg.addEventListener("pointerdown", (event) => this.#down(event));
    svg.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) svg.addEventListener(name, (event) => this.#up(event));
    svg.addEventListener("click", (event) => this.dragged && event.stopPropagation(), { capture: true });
  }

  resize() {
    this.size = { width: this.svg.clientWidth, height: this.svg.clientHeight };
    this.set(this.x, this.y);
  }

  set(x, y, k = this.k) {
    Object.assign(this, { x, y, k });
    this.layer.setAttribute("transform", `translate(${x},${y}) scale(${k})`);
    this.onChange(k, this.stretchAt(k));
  }

  // The point of the picture under (px, py) stays there.
  zoom(factor, px = this.size.width / 2, py = this.size.height / 2) {
    const k = Math.min(ZOOM.most, Math.max(ZOOM.least, this.k * factor));
    const wider = (k * this.stretchAt(k)) / this.kx;
    this.set(px - (px - this.x) * wider, py - ((py - this.y) * k) / this.k, k);
  }

  get kx() {
    return this.k * this.stretchAt(this.k);
  }

  // The scale at which a box of the picture fills the window.
  scaleOf({ left, top, right, bottom }) {
    const { width, height } = this.size;
    return Math.min(ZOOM.fitted, (width - 2 * MARGIN) / (right - left), (height - 2 * MARGIN) / (bottom - top));
  }

  // Puts a box of the picture into the middle of the window.
  centre({ left, top, right, bottom }, k) {
    const { width, height } = this.size;
    const kx = k * this.stretchAt(k);
    this.set((width - (left + right) * kx) / 2, (height - (top + bottom) * k) / 2, k);
  }

  // Moves no further than it takes to show a box of the picture; its left upper corner comes first.
  reveal({ left, top, right, bottom }) {
    const { width, height } = this.size;
    const into = (position, low, high, space) => {
      const over = Math.max(0, high + position - (space - MARGIN));
      const under = Math.max(0, MARGIN - (low + position - over));
      return position - over + under;
    };
    const [k, kx] = [this.k, this.kx];
    this.set(into(this.x, left * kx, right * kx, width), into(this.y, top * k, bottom * k, height));
  }

  #wheel(event) {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1);
    const box = this.svg.getBoundingClientRect();
    this.zoom(Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.0016)), event.clientX - box.left, event.clientY - box.top);
  }

  #down(event) {
    if (event.button !== 0) return;
    if (this.pointers.size === 0) this.dragged = false;
    this.pointers.set(event.pointerId, {
      x: event.clientX,
      y: event.clientY,
      fromX: event.clientX,
      fromY: event.clientY,
    });
  }

  #move(event) {
    const pointer = this.pointers.get(event.pointerId);
    if (!pointer) return;
    const { x, y } = pointer;
    if (!this.dragged && Math.hypot(event.clientX - pointer.fromX, event.clientY - pointer.fromY) < DRAG) return;
    if (!this.dragged) this.svg.setPointerCapture(event.pointerId);
    this.dragged = true;
    const others = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, other]) => other);
    Object.assign(pointer, { x: event.clientX, y: event.clientY });
    if (others.length === 0) this.set(this.x + pointer.x - x, this.y + pointer.y - y);
    else this.#pinch({ x, y }, pointer, others[0]);
  }

  // One finger moved; the other stays.
  #pinch(from, to, other) {
    const box = this.svg.getBoundingClientRect();
    const spread = (point) => Math.max(1, Math.hypot(point.x - other.x, point.y - other.y));
    this.zoom(spread(to) / spread(from), (to.x + other.x) / 2 - box.left, (to.y + other.y) / 2 - box.top);
    this.set(this.x + (to.x - from.x) / 2, this.y + (to.y - from.y) / 2);
  }

  #up(event) {
    this.pointers.delete(event.pointerId);
  }
}
