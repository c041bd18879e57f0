// The merges of one piece: a slider over the steps, and a tree of what became of what.

function drawMerges(explained) {
  const { start, steps } = explained;
  const parts = el("div", { class: "parts", role: "list", "aria-live": "polite" });
  const said = el("p", { class: "said" });
  const slider = el("input", {
    type: "range", min: 0, max: steps.length, value: steps.length, "aria-label": "merges made", disabled: steps.length === 0,
  });
  const show = () => {
    const made = Number(slider.value);
    const step = made > 0 ? steps[made - 1] : null;
    const now = step === null ? start : step.parts;
    const joined = step === null ? null : step.left.data + step.right.data;
    parts.replaceChildren(...now.map((part) => el("span", {
      class: part.data === joined ? "part new" : "part", role: "listitem",
    }, el("bdi", {}, nameOf(part.data)))));
    said.textContent = step === null
      ? `${start.length} parts to begin with.`
      : `Merge ${made} of ${steps.length}: ${nameOf(step.left.data)} + ${nameOf(step.right.data)} → ` +
        `${nameOf(joined)}, rank ${whole.format(step.rank)}` +
        (step.count === null ? "" : `, seen ${whole.format(step.count)} times in training`) + `, id ${step.id}.`;
  };
  slider.addEventListener("input", show);
  show();
  const note = explained.whole && steps.length > 0 && steps[steps.length - 1].parts.length > 1
    ? el("p", { class: "note" }, "The piece is an entry and is taken whole; merging alone would not build it.")
    : null;
  return el("div", { class: "merges" }, el("div", { class: "slide" }, slider, said), parts, note,
    el("details", { open: steps.length > 0 && steps.length < 40 }, el("summary", {}, "Tree"), mergeTree(start, steps)));
}

// Each node stands above what it was made of.
function mergeTree(start, steps) {
  let nodes = start.map((part) => ({ data: part.data, children: [] }));
  for (const step of steps) {
    const at = step.parts.findIndex((part, index) => part.data !== nodes[index].data);
    const children = nodes.slice(at, at + 2);
    nodes.splice(at, 2, { data: step.left.data + step.right.data, step, children });
  }
  const draw = (node) => el("li", { role: "treeitem", "aria-expanded": node.children.length > 0 ? "true" : null },
    el("span", { class: "node", title: node.step ? `rank ${node.step.rank}` : null },
      el("bdi", {}, nameOf(node.data)),
      node.step ? el("small", {}, whole.format(node.step.rank)) : null,
      node.step && node.step.count !== null ? el("small", { class: "count" }, `${whole.format(node.step.count)}×`) : null),
    node.children.length > 0 ? el("ul", { role: "group" }, node.children.map(draw)) : null);
  return el("ul", { class: "tree", role: "tree" }, nodes.map(draw));
}
