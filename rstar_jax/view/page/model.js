// The tree, and what is to be seen of it now: how many rollouts are played, which branches are folded, which node is
// selected. Knows nothing of the screen.

const BINS = 9; // colours of Q

class Model {
  constructor(doc) {
    this.doc = doc;
    this.nodes = doc.nodes;
    this.numbers = this.nodes.map((_, number) => number);
    this.last = doc.tree.rollouts;
    this.children = this.nodes.map(() => []);
    this.depth = [0];
    this.nodes.forEach((node, number) => {
      if (number === 0) return;
      this.children[node.parent].push(number);
      this.depth[number] = this.depth[node.parent] + 1;
    });
    const { positive_reward, negative_reward } = doc.settings;
    this.worth = Math.max(Math.abs(positive_reward), Math.abs(negative_reward)) || 1; // of an answer, and so the range of Q
    this.folded = new Set();
    this.selected = 0;
    this.play(this.last);
  }

  // Visits, Q and best path as they were after so many rollouts; of a tree whose course is not known, those of its end.
  play(rollouts) {
    this.rollouts = rollouts;
    this.visits = this.nodes.map((node) => node.visits);
    this.q = this.nodes.map((node) => node.q);
    if (this.doc.backups && rollouts < this.last) this.#replay();
    const leaf = this.doc.backups ? this.doc.best[rollouts] : this.doc.best[0];
    this.best = new Set(leaf !== null && this.exists(leaf) ? this.path(leaf) : []);
    if (!this.exists(this.selected)) this.selected = this.path(this.selected).findLast((node) => this.exists(node));
  }

  #replay() {
    this.visits.fill(0);
    const sums = new Float64Array(this.nodes.length);
    for (const [rollout, node, value, reach] of this.doc.backups) {
      if (rollout >= this.rollouts) break;
      if (reach === "initial") sums[node] = value;
      for (const place of reach === "root" ? this.path(node) : reach === "node" ? [node] : []) {
        this.visits[place] += 1;
        sums[place] += value;
      }
    }
    this.q = this.visits.map((visits, node) => (visits ? sums[node] / visits : 0));
  }

  exists(node) {
    return node === 0 || this.nodes[node].created_at < this.rollouts;
  }

  // From the root down to the node.
  path(node) {
    const found = [];
    for (let place = node; place >= 0; place = this.nodes[place].parent) found.unshift(place);
    return found;
  }

  // Existing nodes from the top of the picture to its bottom, parents first; those in folded branches only if asked for.
  *walk(node = 0, foldedToo = false) {
    yield node;
    if (!foldedToo && this.folded.has(node)) return;
    for (const child of this.children[node]) if (this.exists(child)) yield* this.walk(child, foldedToo);
  }

  isVisible(node) {
    return (
      this.exists(node) &&
      !this.path(node)
        .slice(0, -1)
        .some((place) => this.folded.has(place))
    );
  }

  hasChildren(node) {
    return this.children[node].some((child) => this.exists(child));
  }

  // Existing nodes of the branch, without its first.
  below(node) {
    return [...this.walk(node, true)].slice(1);
  }

  toggle(node) {
    if (!this.folded.delete(node)) this.folded.add(node);
  }

  unfoldAll() {
    this.folded.clear();
  }

  // Without a best path its place is taken by the root, so that only the first steps remain.
  foldToBest() {
    const kept = this.best.size ? this.best : new Set([0]);
    const others = this.numbers.filter((node) => this.children[node].length && !kept.has(node));
    this.folded = new Set(others);
    if (!this.isVisible(this.selected))
      this.selected = this.path(this.selected).findLast((node) => this.isVisible(node));
  }

  // Unfolds whatever hides the node; tells whether anything did.
  reveal(node) {
    const hiding = this.path(node)
      .slice(0, -1)
      .filter((place) => this.folded.delete(place));
    return hiding.length > 0;
  }

  // The node above (-1) or below (1) in the same column, or null.
  beside(node, step) {
    const column = [...this.walk()].filter((place) => this.depth[place] === this.depth[node]);
    return column[column.indexOf(node) + step] ?? null;
  }

  // What its shape tells: root, inner, right, wrong, ungraded, failed.
  status(node) {
    const { kind, correct } = this.nodes[node];
    if (kind === "answer") return correct === undefined ? "ungraded" : correct ? "right" : "wrong";
    if (["error", "too_many_steps", "overlong"].includes(kind) || this.isDeadEnd(node)) return "failed";
    return kind === "root" ? "root" : "inner";
  }

  // Whether candidates were drawn at the node, and none worked.
  isDeadEnd(node) {
    const { closed, drawn, refused } = this.nodes[node];
    return (
      closed &&
      drawn > 0 &&
      !this.children[node].length &&
      refused !== undefined &&
      Math.max(...refused.map((group) => group.rollout)) < this.rollouts
    );
  }

  // The class that gives the node its colour.
  colour(node) {
    if (!this.visits[node] && this.status(node) === "inner") return "unvisited";
    const share = (Math.max(-1, Math.min(1, this.q[node] / this.worth)) + 1) / 2;
    return `q${Math.round(share * (BINS - 1))}`;
  }
}
