// The entries of a vocabulary, a hundred at a time, filtered.

const PAGE = 100;

function vocabularyBrowser(source) {
  const state = { tokenizer: source.tokenizers[0].name, find: "", kind: "", script: "", order: "id", page: 0 };
  const holder = el("div"), counted = el("span", { class: "note", "aria-live": "polite" });
  const again = (change) => { Object.assign(state, { page: 0 }, change); draw(); };
  async function draw() {
    const { total, rows } = await source.entries({ ...state, offset: state.page * PAGE, limit: PAGE });
    const last = Math.max(0, Math.ceil(total / PAGE) - 1);
    counted.textContent = `${whole.format(total)} entries, page ${state.page + 1} of ${last + 1}`;
    const known = rows.some((row) => row.uses !== null);
    const table = el("table", {},
      el("caption", {}, `Entries of ${state.tokenizer}`),
      el("thead", {}, el("tr", {}, ["Id", "Token", "Bytes", "Kind", "Script", ...(known ? ["Uses"] : [])]
        .map((title) => el("th", { scope: "col" }, title)))),
      el("tbody", {}, rows.map((row) => el("tr", {},
        el("td", { class: "number" }, String(row.id)),
        el("td", {}, el("span", { class: "token", style: { "--hue": hue(row.id) } }, el("bdi", { class: "text" }, nameOf(row.data)))),
        el("td", {}, el("code", {}, spelled(row.data.slice(0, 24)) + (row.data.length > 24 ? " …" : ""))),
        el("td", {}, row.kind), el("td", {}, row.script ?? "–"),
        known ? el("td", { class: "number" }, whole.format(row.uses)) : null))));
    const step = (by) => () => { state.page = Math.max(0, Math.min(last, state.page + by)); draw(); };
    holder.replaceChildren(
      el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Entries" }, table),
      el("div", { class: "controls" },
        el("button", { type: "button", onclick: step(-1), disabled: state.page === 0 }, "Back"),
        el("button", { type: "button", onclick: step(1), disabled: state.page >= last }, "On")));
  }
  const names = source.tokenizers.map((each) => each.name);
  const controls = el("div", { class: "controls" },
    names.length > 1 ? choice("Tokenizer", names, state.tokenizer, (value) => again({ tokenizer: value })) : null,
    el("input", { type: "search", placeholder: "Text or id", "aria-label": "Find an entry by its text or id",
      oninput: later((event) => again({ find: event.target.value }), 200) }),
    choice("Kind", [["", "all"], ...source.kinds], "", (value) => again({ kind: value })),
    choice("Script", [["", "all"], ...source.scripts], "", (value) => again({ script: value })),
    choice("Order", [["id", "id"], ["length", "longest first"], ["uses", "most used first"], ["unused", "least used first"]],
      "id", (value) => again({ order: value })),
    counted);
  draw();
  return el("div", {}, controls, holder);
}
