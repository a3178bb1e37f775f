// The panel beside the picture: all that is known of the selected node.

const REASONS = {
  beside_answer: ["refused", "another candidate was a finished answer"],
  empty: ["refused", "empty"],
  cut: ["refused", "cut by the length limit"],
  error: ["refused", "its code failed"],
};
const LIKE = {
  beside_answer: "dropped beside an answer",
  empty: "refused as empty",
  cut: "refused as cut",
  error: "refused because its code failed",
};
const KINDS = {
  root: "Question",
  thought: "Thought",
  step: "Code step",
  code: "Code step, its block ends",
  answer: "Answer",
  error: "Step with failing code",
  too_many_steps: "Step beyond the depth limit",
  overlong: "Step beyond the length limit",
};

const AT_ONCE = 8; // entries of a list, before the rest is folded

class Panel {
  // go: is called with a node that a link in the panel leads to.
  constructor(model, go) {
    Object.assign(this, { model, go, element: document.getElementById("panel") });
  }

  show() {
    const number = this.model.selected;
    const parts = number === 0 ? this.#question() : this.#node(number);
    if (this.shown !== number) this.element.scrollTop = 0;
    this.shown = number;
    this.element.replaceChildren(...parts.filter((part) => part !== null));
  }

  #node(number) {
    const { model } = this;
    const node = model.nodes[number];
    const failed = ["error", "timeout", "refused"].includes(node.outcome);
    return [
      this.#heading(number, KINDS[node.kind]),
      this.#path(number),
      this.#values(number),
      this.#answer(node),
      section("Step", stepOf(node.parts ?? [])),
      node.outcome ? section(failed ? `Output (${node.outcome})` : "Output", outputOf(node.output, failed)) : null,
      this.#list("Training data", trainingData(model.doc, number), "data"),
      this.#children(number),
      this.#proposals(number),
      section("More", this.#more(number)),
    ];
  }

  #question() {
    const { model } = this;
    const { problem, settings, tree, origin } = model.doc;
    const facts = [
      ["Expected answer", problem.answer || "—"],
      ["Level", problem.level || "—"],
      ["Source", problem.source || "—"],
      ["Best path", this.#best()],
      ["Proposals drawn", tree.proposals.toLocaleString("en")],
      ["Steps run", tree.executions.toLocaleString("en")],
      ["Steps scored by the PPM", tree.scored.toLocaleString("en")],
      ["Tokens generated", tree.tokens.toLocaleString("en")],
      [
        "Tree",
        tree.of.length > 1
          ? `${tree.index} (of ${tree.of.join(", ")}), seed ${tree.seed}`
          : `${tree.index}, seed ${tree.seed}`,
      ],
      ["File", tree.file || "—"],
    ];
    const data = allTrainingData(model.doc);
    const options = Object.entries(settings).map(([name, value]) => [name, value === null ? "none" : String(value)]);
    return [
      this.#heading(0, KINDS.root),
      el("p", { class: "question" }, problem.question),
      definitions(facts),
      this.#values(0),
      el(
        "section",
        { class: "data" },
        el("h3", {}, "Training data"),
        el("p", { class: "note" }, data.length ? origin : `None. ${origin}`),
        this.#items(data),
      ),
      this.#children(0),
      this.#proposals(0),
      el("details", {}, el("summary", {}, "Search settings"), definitions(options)),
    ];
  }

  #heading(number, words) {
    const { model } = this;
    const status = model.status(number);
    const said = model.isDeadEnd(number) ? "dead end: nothing drawn here worked" : number ? STATUS[status] : "";
    return el(
      "header",
      {},
      sample(status, model.colour(number)),
      el(
        "div",
        {},
        el("h2", {}, number ? `${number}. ${words}` : words),
        el("p", {}, [said, model.best.has(number) && number ? "on the best path" : ""].filter(Boolean).join(", ")),
      ),
    );
  }

  #path(number) {
    const above = this.model.path(number).slice(0, -1);
    const links = above.flatMap((node) => [this.#link(node, node === 0 ? "Question" : node), " › "]);
    return el("nav", { "aria-label": "Path from the question" }, ...links, el("b", {}, String(number)));
  }

  #values(number) {
    const { model } = this;
    const { ppm, created_at } = model.nodes[number];
    const tile = (words, value) => el("div", {}, el("dt", {}, words), el("dd", {}, value));
    const then = model.rollouts < model.last && model.doc.backups ? `, after rollout ${model.rollouts}` : "";
    return el(
      "dl",
      { class: "tiles" },
      tile(`Q${then}`, model.visits[number] || model.q[number] ? signed(model.q[number], 3) : "—"),
      tile(`Visits${then}`, String(model.visits[number])),
      number ? tile("PPM score", ppm === undefined ? "—" : signed(ppm, 3)) : null,
      number ? tile("Rollout", String(created_at + 1)) : null,
    );
  }

  #answer(node) {
    if (node.kind !== "answer") return null;
    const truth = this.model.doc.problem.answer;
    const verdict = node.correct === undefined ? "not graded" : node.correct ? "right" : "wrong";
    const expected = node.correct ? "" : `, expected ${truth || "nothing known"}`;
    return el(
      "p",
      { class: `verdict ${verdict.replace(" ", "-")}` },
      el("b", {}, node.answer || "(no answer in it)"),
      ` ${verdict}${expected}`,
    );
  }

  #best() {
    const leaf = [...this.model.best].at(-1);
    if (leaf === undefined) return "none yet";
    return el("span", {}, "ends at ", this.#link(leaf), `, highest ${this.model.doc.best_by}`);
  }

  #list(title, items, name) {
    return items.length ? el("section", { class: name }, el("h3", {}, title), this.#items(items)) : null;
  }

  #items(items) {
    const word = (one) => (typeof one === "string" ? one : this.#link(one.node));
    const list = (some) =>
      el("ul", {}, ...some.map(({ mark, words }) => el("li", { class: mark }, ...words.map(word))));
    const [first, rest] = [items.slice(0, AT_ONCE), items.slice(AT_ONCE)];
    return el(
      "div",
      {},
      list(first),
      rest.length ? el("details", {}, el("summary", {}, `${rest.length} more`), list(rest)) : null,
    );
  }

  #children(number) {
    const { model } = this;
    const children = model.children[number].filter((child) => model.exists(child));
    if (!children.length) return null;
    const row = (child) => {
      const node = model.nodes[child];
      const name = el("td", {}, this.#link(child), " ", el("code", {}, node.label));
      const ppm = node.ppm === undefined ? "—" : signed(node.ppm);
      const cells = [
        model.visits[child] || model.q[child] ? signed(model.q[child]) : "—",
        model.visits[child],
        ppm,
      ].map((value) => el("td", {}, String(value)));
      return el("tr", { class: model.best.has(child) ? "best" : "" }, name, ...cells);
    };
    const head = el("tr", {}, ...["Step", "Q", "Visits", "PPM"].map((words) => el("th", { scope: "col" }, words)));
    return section(
      plural(children.length, "next step"),
      el("table", {}, el("thead", {}, head), el("tbody", {}, ...children.map(row))),
    );
  }

  // What became of the proposals drawn here.
  #proposals(number) {
    const { model } = this;
    const groups = (model.nodes[number].refused ?? []).filter(({ rollout }) => rollout < model.rollouts);
    const children = model.children[number].filter((child) => model.exists(child)).length;
    const sum = (some) => some.reduce((total, { count }) => total + count, 0);
    if (!groups.length && !children) return null;
    const merged = groups.filter(({ reason, like }) => reason === "duplicate" && !like);
    const refused = groups.filter((group) => !merged.includes(group));
    const told = [plural(children, "node"), `${sum(merged)} merged`, `${sum(refused)} refused`].join(", ");
    return section(
      `${plural(children + sum(groups), "proposal")} drawn here`,
      el("p", { class: "note" }, `They became ${told}.`),
      el("ul", { class: "proposals" }, ...[...merged, ...refused].map((group) => this.#group(group))),
    );
  }

  #group(group) {
    const { reason, count, node, state, like, text, output } = group;
    const times = count > 1 ? `${count} times ` : "";
    if (node !== undefined)
      return el("li", { class: "merged" }, `${times}merged into `, this.#link(node), ", which has the same text");
    const into =
      state === undefined || state === null
        ? ["merged: it left the same state as a node"]
        : ["merged into ", this.#link(state), ", which left the same state"];
    const why = like
      ? [`refused: equal to one that was ${LIKE[like]}`]
      : reason === "duplicate"
        ? into
        : [`${REASONS[reason][0]}: ${REASONS[reason][1]}`];
    const more = [el("pre", {}, text || "(empty)"), output ? outputOf(output, reason === "error") : null].filter(
      Boolean,
    );
    return el(
      "li",
      { class: reason === "duplicate" && !like ? "merged" : "refused" },
      el("details", {}, el("summary", {}, times, ...why), ...more),
    );
  }

  #more(number) {
    const node = this.model.nodes[number];
    const each =
      node.logprob !== undefined && node.n_tokens ? ` (${signed(node.logprob / node.n_tokens)} a token)` : "";
    return definitions([
      ["Released name", node.tag],
      ["Depth", String(this.model.depth[number])],
      ["Equal proposals", String(node.count)],
      ["Tokens", String(node.n_tokens)],
      ["Log-probability", node.logprob === undefined ? "—" : signed(node.logprob) + each],
      ["First value backed up", node.first_value === undefined ? "—" : signed(node.first_value, 3)],
      ["Draws here", String(node.drawn)],
      ["Failing steps in a row", String(node.errors)],
      ["Open to search at the end", node.closed ? "no" : "yes"],
    ]);
  }

  #link(node, words = node) {
    const button = el("button", { type: "button", class: "link", "aria-label": `Go to node ${node}` }, String(words));
    button.addEventListener("click", () => this.go(node));
    return button;
  }
}

function section(title, ...content) {
  return el("section", {}, el("h3", {}, title), ...content);
}

function definitions(pairs) {
  return el("dl", { class: "facts" }, ...pairs.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

// Parts as `steps.step_parts` makes them, without the line break that most steps begin with.
function stepOf(parts) {
  const tokens = (content) =>
    content
      .map((text, place) => (place % 2 ? el("span", { class: `t-${content[place - 1]}` }, text) : null))
      .filter(Boolean);
  const spans = parts.map(([kind, content]) =>
    el("span", { class: kind }, ...(kind === "code" ? tokens(content) : [content])),
  );
  const first = document.createTreeWalker(spans[0] ?? el("span"), NodeFilter.SHOW_TEXT).nextNode();
  if (first) first.data = first.data.replace(/^\n/, "");
  return el("pre", { class: "step", tabindex: "0" }, ...spans);
}

function outputOf(output, failed) {
  return el("pre", { class: failed ? "output failed" : "output", tabindex: "0" }, output || "(nothing printed)");
}
