// Wires the parts together: what a click, a key or a button does.

const READABLE = 0.8; // scale

const doc = JSON.parse(document.getElementById("document").textContent);
const model = new Model(doc);
const tree = document.getElementById("tree");
const drawing = new Drawing(model, marksOf(doc));
const places = new Places(model, drawing, tree);
const camera = new Camera(tree, document.getElementById("camera"), {
  stretchAt: (k) => places.stretchAt(k, camera.size.width),
  onChange: (k, stretch) => places.show(k, stretch),
});
const timeline = new Timeline(model, () => (search.query ? search.update() : paint()));
const search = new Search(model, { go: select, paint });
const panel = new Panel(model, select);

function paint() {
  drawing.paint({ found: search.found, fresh: timeline.fresh, walked: timeline.walked });
  tree.setAttribute("aria-activedescendant", `node-${model.selected}`);
  panel.show();
}

function select(node) {
  if (node === null || !model.exists(node)) {
    if (node !== null)
      notice(`Node ${node} was found in rollout ${model.nodes[node].created_at + 1}, which is not played yet.`);
    return;
  }
  model.selected = node;
  if (model.reveal(node)) places.arrange(model.nodes[node].parent);
  paint();
  camera.reveal(places.box([node]));
  if (!document.getElementById("search").contains(document.activeElement)) tree.focus({ preventScroll: true });
}

function toggle(node) {
  if (!model.hasChildren(node)) return;
  model.toggle(node);
  if (!model.isVisible(model.selected)) model.selected = node;
  places.arrange(node);
  paint();
}

function show(change) {
  change();
  notice("");
  places.arrange(0);
  paint();
  fit();
}

// The whole tree, without labels if they would be too small to be read.
function fit() {
  const k = camera.scaleOf(places.box(undefined, false));
  if (k >= FAR) camera.centre(places.box(undefined, false), k);
  else {
    const dots = places.box(undefined, true);
    camera.centre(dots, Math.min(FAR * 0.99, Math.max(ZOOM.least, camera.scaleOf(dots))));
  }
}

// The beginning of a tree that is too large for the window, to be read.
function showRoot() {
  const { left, top, bottom } = places.box([0]);
  camera.set(MARGIN - left * READABLE, (camera.size.height - (top + bottom) * READABLE) / 2, READABLE);
}

function notice(words) {
  const element = document.getElementById("notice");
  element.textContent = words;
  element.classList.remove("shown");
  if (words) requestAnimationFrame(() => element.classList.add("shown"));
}

function switchTheme() {
  const dark =
    getComputedStyle(document.documentElement).colorScheme === "dark" ||
    (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "light" : "dark";
}

const ACTIONS = {
  ArrowLeft: () => model.selected && select(model.nodes[model.selected].parent),
  ArrowRight: () => {
    if (!model.hasChildren(model.selected)) return;
    select(model.children[model.selected].find((child) => model.exists(child)));
  },
  ArrowUp: () => select(model.beside(model.selected, -1)),
  ArrowDown: () => select(model.beside(model.selected, 1)),
  Home: () => select(0),
  a: () => (model.best.size ? select([...model.best].at(-1)) : notice("No answer was found so far.")),
  Enter: () => toggle(model.selected),
  " ": () => toggle(model.selected),
  b: () => show(() => model.foldToBest()),
  e: () => show(() => model.unfoldAll()),
  p: () => timeline.toggle(),
  ",": () => timeline.go(model.rollouts - 1),
  ".": () => timeline.go(model.rollouts + 1),
  "/": () => document.getElementById("query").select(),
  "+": () => camera.zoom(ZOOM.step),
  "=": () => camera.zoom(ZOOM.step),
  "-": () => camera.zoom(1 / ZOOM.step),
  f: () => fit(),
  t: switchTheme,
  "?": () => document.getElementById("keys").showModal(),
};
// Keys that the element with the focus needs for itself.
const NATIVE = {
  "input, textarea, select": () => true,
  "button, summary, a": (key) => key === "Enter" || key === " ",
  "pre, aside": (key) => key.startsWith("Arrow") || key === "Home" || key === " ",
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.getElementById("keys").open) return;
  const ownUse = Object.entries(NATIVE).some(([kinds, uses]) => event.target.matches?.(kinds) && uses(event.key));
  if (ownUse || !Object.hasOwn(ACTIONS, event.key)) return;
  event.preventDefault();
  ACTIONS[event.key]();
});

const nodeAt = (event) => {
  const group = event.target.closest?.('[role="treeitem"]');
  return group ? Number(group.id.slice("node-".length)) : null;
};

// Dots of a far tree are too small to be met.
const near = ({ clientX, clientY }) => {
  const box = tree.getBoundingClientRect();
  return camera.k < FAR
    ? places.nearest((clientX - box.left - camera.x) / camera.k, (clientY - box.top - camera.y) / camera.k, 14)
    : null;
};
tree.addEventListener("click", (event) => {
  const node = nodeAt(event) ?? near(event);
  if (node === null) return;
  if (event.target.closest(".fold")) toggle(node);
  else select(node);
});
tree.addEventListener("dblclick", (event) => {
  const node = nodeAt(event);
  if (node !== null && !event.target.closest(".fold")) toggle(node);
});

const BUTTONS = { "zoom-out": "-", "zoom-in": "+", fit: "f", focus: "b", unfold: "e", theme: "t", help: "?" };
for (const [id, key] of Object.entries(BUTTONS)) document.getElementById(id).addEventListener("click", ACTIONS[key]);
new ResizeObserver(() => camera.resize()).observe(tree);

function begin() {
  const { rollouts, index, of } = doc.tree;
  const right = model.nodes.filter((node) => node.correct).length;
  const answers = model.nodes.filter((node) => node.kind === "answer").length;
  document.getElementById("title").textContent = doc.problem.id;
  document.getElementById("facts").textContent = [
    of.length > 1 ? `tree ${index} of ${of.length}` : "",
    plural(model.nodes.length, "node"),
    plural(rollouts, "rollout"),
    `${right} of ${plural(answers, "answer")} right`,
  ]
    .filter(Boolean)
    .join(" · ");
  fillHelp(model);
  fillLegend(model);
  camera.resize();
  if (!doc.backups) notice("How this tree came to be cannot be told from its file: visits and Q are those of its end.");
  if (camera.scaleOf(places.box(undefined, false)) < FAR) {
    model.foldToBest();
    places.arrange(0, false);
    notice(`${plural(model.nodes.length, "node")}: branches off the best path are folded. “Unfold all” shows them.`);
  }
  paint();
  if (camera.scaleOf(places.box(undefined, false)) >= FAR) fit();
  else showRoot();
}

begin();
