// The dialog with keys and marks.

const KEYS = [
  ["← →", "to the parent; to the first next step (unfolds)"],
  ["↑ ↓", "to the node above or below in the same column"],
  ["Home, a", "to the question; to the best path's answer"],
  ["Enter, Space", "fold or unfold the branch"],
  ["b, e", "fold all but the best path; unfold all"],
  ["p", "play the rollouts, or pause"],
  [", and .", "one rollout back; one further"],
  ["/", "search; Enter and Shift+Enter step, Escape ends it"],
  ["+ − f", "zoom in, out; fit the tree into the window"],
  ["t", "light or dark"],
  ["?", "this help"],
];

function fillHelp(model) {
  const title = el("h2", { id: "keys-title" }, "Keys");
  const list = KEYS.flatMap(([keys, words]) => [el("dt", {}, keys), el("dd", {}, words)]);
  document
    .getElementById("keys")
    .append(
      el("form", { method: "dialog" }, title, el("button", { "aria-label": "Close" }, "×")),
      el("dl", {}, ...list),
      el("p", {}, "The wheel or two fingers zoom, dragging moves, a double click folds."),
      el("div", { class: "marks" }, ...legendEntries(model)),
      el(
        "p",
        {},
        "×3: three equal proposals became this node. S1: the best SFT trajectory ends here. + and −: preferred and " +
          "rejected in a pair. Visits, Q and the best path are those after the rollouts that are played.",
      ),
    );
}
