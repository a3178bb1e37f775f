// Search in what nodes hold: step, output, answer, number ("#12"), and the proposals refused there.

class Search {
  // go: is called with a match to show it, null when there is none; `paint` after every change.
  constructor(model, { go, paint }) {
    Object.assign(this, { model, go, paint, found: null, query: "" });
    this.texts = model.nodes.map((node, number) => textOf(node, number).toLowerCase());
    this.input = document.getElementById("query");
    this.input.addEventListener("input", () => this.update());
    this.input.addEventListener("keydown", (event) => this.#key(event));
    document.getElementById("search").addEventListener("submit", (event) => {
      event.preventDefault();
      this.step(1);
    });
    document.getElementById("previous").addEventListener("click", () => this.step(-1));
    this.#report();
  }

  // Finds again, after typing or after a rollout was played.
  update() {
    this.query = this.input.value.trim().toLowerCase();
    const matches = [...this.model.walk(0, true)].filter((node) => this.texts[node].includes(this.query));
    this.found = this.query ? new Set(matches) : null;
    this.#report();
    this.paint();
  }

  // The next match (1) or the one before (-1), as seen from the selected node, from top to bottom.
  step(direction) {
    if (!this.found?.size) return;
    const order = [...this.model.walk(0, true)];
    const here = order.indexOf(this.model.selected);
    const matches = [...this.found];
    const next =
      direction > 0
        ? matches.find((node) => order.indexOf(node) > here)
        : matches.findLast((node) => order.indexOf(node) < here);
    this.go(next ?? (direction > 0 ? matches[0] : matches.at(-1)));
    this.#report();
  }

  #key(event) {
    if (event.key === "Enter" && event.shiftKey) {
      event.preventDefault();
      this.step(-1);
    } else if (event.key === "Escape") {
      this.input.value = "";
      this.update();
      document.getElementById("tree").focus();
    }
  }

  #report() {
    const matches = [...(this.found ?? [])];
    const place = matches.indexOf(this.model.selected) + 1;
    document.getElementById("found").textContent = !this.found
      ? ""
      : !matches.length
        ? "none"
        : place
          ? `${place} of ${matches.length}`
          : `${matches.length}`;
    for (const id of ["previous", "next"]) document.getElementById(id).disabled = !matches.length;
  }
}

function textOf(node, number) {
  const step = (node.parts ?? []).map(([, content]) => plain(content)).join("");
  const refused = (node.refused ?? []).flatMap(({ text, output }) => [text, output]);
  return [`#${number}`, step, node.output, node.answer, node.label, ...refused].filter(Boolean).join("\n");
}

const plain = (content) => (Array.isArray(content) ? content.filter((_, place) => place % 2).join("") : content);
