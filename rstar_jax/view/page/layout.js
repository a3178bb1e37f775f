// Tidy tree drawing after Reingold and Tilford (1981): subtrees as close together as their outlines allow, parents in
// the middle of their children, no two rows of a column nearer than one.

const ROW = 26; // pixels
const BEND = 38; // pixels in which edges go from one column to the next
const FOLDED = 34; // pixels of the number that stands behind a folded branch
const COUSINS = 1.35; // rows between neighbours with different parents

// Where nodes belong, in pixels; those in folded branches at their nearest ancestor that is to be seen. Rollouts that are
// not played yet have their places already, so playing moves nothing. ends: where the labels end, from their node.
function placesOf(model, ends) {
  const y = rowsOf(model).map((row) => row * ROW);
  const shown = model.numbers.filter(
    (node) =>
      !model
        .path(node)
        .slice(0, -1)
        .some((above) => model.folded.has(above)),
  );
  const widths = [];
  for (const node of shown) {
    const width = ends[node] + BEND + (model.folded.has(node) ? FOLDED : 0);
    widths[model.depth[node]] = Math.max(widths[model.depth[node]] ?? 0, width);
  }
  const columns = [0];
  for (const width of widths) columns.push(columns.at(-1) + width);
  const x = new Float64Array(model.nodes.length);
  const isShown = new Set(shown);
  for (const node of model.numbers)
    x[node] = isShown.has(node) ? columns[model.depth[node]] : x[model.nodes[node].parent];
  return { x, y, shown, breadth: columns.at(-2) };
}

// The row of each node, in units of a row.
function rowsOf(model) {
  const offset = new Float64Array(model.nodes.length); // from the parent's row
  outline(model, 0, offset);
  const rows = new Float64Array(model.nodes.length);
  model.nodes.forEach((node, number) => {
    if (number > 0) rows[number] = rows[node.parent] + offset[number];
  });
  return rows;
}

// Places the subtree below a node; returns its first and last row at each depth, as seen from the node.
function outline(model, node, offset) {
  const first = [];
  const last = [];
  const children = model.folded.has(node) ? [] : model.children[node];
  for (const child of children) {
    const below = outline(model, child, offset);
    let shift = 0;
    for (let depth = 0; depth < Math.min(last.length, below.first.length); depth++) {
      shift = Math.max(shift, last[depth] - below.first[depth] + (depth === 0 ? 1 : COUSINS));
    }
    offset[child] = shift;
    below.first.forEach((row, depth) => (first[depth] ??= row + shift));
    below.last.forEach((row, depth) => (last[depth] = row + shift));
  }
  const middle = children.length ? (offset[children[0]] + offset[children.at(-1)]) / 2 : 0;
  for (const child of children) offset[child] -= middle;
  return { first: [0, ...first.map((row) => row - middle)], last: [0, ...last.map((row) => row - middle)] };
}
