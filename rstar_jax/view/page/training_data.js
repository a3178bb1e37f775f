// What became training data: SFT trajectories and preference pairs, by node and in words.

// Of each node: sft (it lies on a trajectory), ranks (of the trajectories that end there), chosen and rejected (sides of
// pairs of this tree that it stands for).
function marksOf(doc) {
  const marks = doc.nodes.map(() => ({ sft: false, ranks: [], chosen: false, rejected: false }));
  for (const { nodes, rank } of doc.sft) {
    for (const node of nodes) marks[node].sft = true;
    marks[nodes.at(-1)].ranks.push(rank);
  }
  for (const { pos, neg } of doc.pairs) {
    if (pos.tree === doc.tree.index) marks[pos.node].chosen = true;
    if (neg.tree === doc.tree.index) marks[neg.node].rejected = true;
  }
  return marks;
}

// Sentences on one node, as lists of strings and of nodes to go to.
function trainingData(doc, node) {
  const here = (side) => side.tree === doc.tree.index;
  const at = (side) => (here(side) ? { node: side.node } : `node ${side.node} of tree ${side.tree}`);
  const found = [];
  for (const one of doc.sft) {
    if (!one.nodes.includes(node)) continue;
    const equal = one.equal > 1 ? `, found ${one.equal} times` : "";
    found.push({
      mark: "sft",
      words: [
        `SFT trajectory ${one.rank} (mean Q ${signed(one.mean_q)}${equal}), which ends at `,
        { node: one.nodes.at(-1) },
      ],
    });
  }
  for (const { kind, pos, neg } of doc.pairs) {
    const what = kind === "step" ? "step pair" : "pair of solutions";
    if (here(pos) && pos.node === node)
      found.push({
        mark: "chosen",
        words: [`Preferred to `, at(neg), ` (Q ${signed(pos.q)} over ${signed(neg.q)}, ${what})`],
      });
    if (here(neg) && neg.node === node)
      found.push({
        mark: "rejected",
        words: [`Rejected for `, at(pos), ` (Q ${signed(neg.q)} under ${signed(pos.q)}, ${what})`],
      });
  }
  return found;
}

// The same for the whole tree: every trajectory and pair once.
function allTrainingData(doc) {
  const side = (one) => (one.tree === doc.tree.index ? { node: one.node } : `node ${one.node} of tree ${one.tree}`);
  const sft = doc.sft.map(({ rank, nodes, mean_q }) => ({
    mark: "sft",
    words: [`SFT trajectory ${rank}, mean Q ${signed(mean_q)}, ends at `, { node: nodes.at(-1) }],
  }));
  const pairs = doc.pairs.map(({ kind, pos, neg }) => ({
    mark: "pair",
    words: [
      kind === "step" ? "Step " : "Solution ",
      side(pos),
      " preferred to ",
      side(neg),
      ` (Q ${signed(pos.q)}, ${signed(neg.q)})`,
    ],
  }));
  return [...sft, ...pairs];
}
