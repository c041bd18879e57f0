// The token viewer: a text, one or two tokenizers, their tokens side by side, and the merges of a piece.

function viewer(source) {
  const names = source.tokenizers.map((each) => each.name);
  const state = { one: names[0], other: names[1] ?? "", text: "", ...fromLink(names) };
  const box = el("textarea", { rows: 3, spellcheck: "false", dir: "auto", "aria-label": "Text to tokenize" });
  const results = el("div", { class: "results" }), merges = el("div", { class: "explained", "aria-live": "polite" });
  const message = el("p", { class: "note", role: "status" });
  let run = 0;

  async function show() {
    const mine = ++run;
    state.text = box.value;
    const chosen = [state.one, state.other].filter((name) => name !== "" && names.includes(name));
    let found;
    try {
      found = await Promise.all(chosen.map((name) => source.encode(name, state.text)));
    } catch (error) {
      if (mine === run) message.textContent = error.message;
      return;
    }
    if (mine !== run) return;
    message.textContent = "";
    results.replaceChildren(...found.map((each, index) => column(chosen[index], each, found[1 - index] ?? null)));
    results.dataset.run = String(mine);
    toLink(state);
  }

  function column(name, found, other) {
    if (found.obstacle) {
      return el("section", { class: "result" }, el("h3", {}, name),
        el("p", { class: "note" }, `Only the samples can be shown here: ${found.obstacle}. Use \u201cbpetok serve\u201d for any text.`));
    }
    const bytes = found.tokens.reduce((sum, token) => sum + token.data.length, 0);
    const pick = async (index) => {
      let first = index;
      while (first > 0 && !found.tokens[first].begins) first--;
      let last = index + 1;
      while (last < found.tokens.length && !found.tokens[last].begins) last++;
      const piece = textOf(found.tokens.slice(first, last).map((token) => token.data).join(""));
      const explained = piece === null ? null : await source.explain(name, piece);
      merges.replaceChildren(...(explained === null
        ? [el("p", { class: "note" }, "There are no merges to show for this token.")]
        : [el("h3", {}, `How ${name} builds \u201c${visible(piece)}\u201d`), drawMerges(explained)]));
    };
    return el("section", { class: "result" },
      el("h3", {}, name),
      el("p", { class: "sum" }, el("b", {}, whole.format(found.tokens.length)), ` tokens, ${whole.format(bytes)} bytes`,
        found.tokens.length > 0 ? `, ${(bytes / found.tokens.length).toFixed(2)} bytes a token` : ""),
      drawTokens(found.tokens, { others: other?.tokens ?? null, special: found.special, onpick: pick }));
  }

  const pickers = [
    choice("Tokenizer", names, state.one, (value) => { state.one = value; show(); }),
    names.length > 1 || source.live
      ? choice("beside", [["", "none"], ...names.map((name) => [name, name])], state.other, (value) => { state.other = value; show(); })
      : null,
    source.samples.length > 0
      ? choice("Sample", [["", "choose"], ...source.samples.map((sample, index) => [String(index), sample.name])], "",
        (value) => { if (value !== "") { box.value = source.samples[Number(value)].text; show(); } })
      : null,
    el("label", {}, el("input", { type: "checkbox", onchange: (event) => results.classList.toggle("ids", event.target.checked) }), " ids"),
  ];
  box.addEventListener("input", later(show, 60));
  box.addEventListener("dragover", (event) => event.preventDefault());
  box.addEventListener("drop", async (event) => {
    const file = event.dataTransfer.files[0];
    if (file === undefined) return;
    event.preventDefault();
    if (file.size > source.largest) {
      message.textContent = `${file.name} has ${whole.format(file.size)} bytes, of at most ${whole.format(source.largest)}.`;
      return;
    }
    box.value = await file.text();
    show();
  });
  box.value = state.text || (source.samples[0]?.text ?? "");
  show();
  return el("div", { class: "viewer" }, el("div", { class: "controls" }, pickers), box, message, results, merges);
}

// What is seen is in the address, so that it can be sent to someone.
function fromLink(names) {
  const given = new URLSearchParams(location.hash.slice(1));
  const made = {};
  if (names.includes(given.get("one"))) made.one = given.get("one");
  if (given.has("other") && (given.get("other") === "" || names.includes(given.get("other")))) made.other = given.get("other");
  if (given.has("text")) made.text = given.get("text");
  return made;
}

function toLink({ one, other, text }) {
  if (text.length > 2000) return;
  history.replaceState(null, "", `#${new URLSearchParams({ one, other, text })}`);
}
