// What the marks of the picture mean. Those that lie over the tree can be switched off.

function sample(status, colour = "") {
  const shape = svg("path", { class: "shape", d: SHAPES[status], transform: "scale(5.5)" });
  return svg(
    "svg",
    { class: "sample", viewBox: "-9 -9 18 18", "aria-hidden": "true" },
    svg("g", { class: `node ${status} ${colour}` }, shape),
  );
}

// Shapes, colours and sizes.
function legendEntries(model) {
  const statuses = new Set(model.numbers.map((node) => model.status(node)));
  const shapes = {
    inner: ["step", "q4"],
    right: ["right answer", "q8"],
    wrong: ["wrong answer", "q0"],
    ungraded: ["not graded", "q4"],
    failed: ["failed", "q0"],
  };
  const present = Object.entries(shapes).filter(([status]) => statuses.has(status));
  const entries = present.map(([status, [words, colour]]) =>
    el("span", { class: "entry" }, sample(status, colour), words),
  );
  return [
    ...entries,
    scale(model.worth),
    el("span", { class: "entry", title: "The larger, the more visits" }, sizes(), "visits"),
  ];
}

function fillLegend(model) {
  const legend = document.getElementById("legend");
  const { doc } = model;
  legend.append(...legendEntries(model));
  legend.append(markSwitch("best", "Best path", doc.best_by ? `Highest ${doc.best_by}` : "No answer was found"));
  if (doc.sft.length) legend.append(markSwitch("sft", `SFT (${doc.sft.length})`, `SFT trajectories. ${doc.origin}`));
  if (doc.pairs.length)
    legend.append(markSwitch("pairs", `Pairs (${doc.pairs.length})`, `Preference pairs. ${doc.origin}`));
}

function scale(size) {
  const bins = [...Array(BINS)].map((_, bin) => el("i", { class: `q${bin}` }));
  const hollow = sample("inner", "unvisited");
  return el(
    "span",
    { class: "entry scale" },
    `Q ${signed(-size, 0)}`,
    el("span", { class: "bins" }, ...bins),
    `${signed(size, 0)}`,
    hollow,
    "not visited",
  );
}

function sizes() {
  const circles = [3, 4.5, 6.5].map((r, place) => svg("circle", { cx: [4, 14, 28][place], cy: 9, r }));
  return svg("svg", { class: "sample wide", viewBox: "0 0 36 18", "aria-hidden": "true" }, ...circles);
}

// Hides or shows marks of one kind by a class of the whole picture.
function markSwitch(mark, words, title) {
  const button = el(
    "button",
    { type: "button", class: `mark ${mark}`, "aria-pressed": "true", title },
    el("i", { "aria-hidden": "true" }),
    words,
  );
  button.addEventListener("click", () => {
    const shown = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", shown);
    document.getElementById("tree").classList.toggle(`no-${mark}`, !shown);
  });
  return button;
}
