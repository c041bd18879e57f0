// A table that is sorted by a click on a heading, and narrowed by a search.

// columns: [{title, about, value(row), cell(row), numeric}]; `value` sorts, `cell` draws.
function sortable(columns, rows, { sort, caption, search }) {
  const body = el("tbody");
  const count = el("p", { class: "note", "aria-live": "polite" });
  let by = sort, falling = true, wanted = "";
  const show = () => {
    const kept = wanted === "" ? [...rows] : rows.filter((row) => search(row).toLowerCase().includes(wanted));
    const value = columns[by].value;
    kept.sort((one, other) => {
      const [left, right] = [value(one), value(other)];
      if (left === right) return 0;
      if (left === null || left === undefined) return 1;
      if (right === null || right === undefined) return -1;
      return (left < right ? -1 : 1) * (falling ? -1 : 1);
    });
    body.replaceChildren(...kept.map((row) => el("tr", {},
      columns.map((column) => el("td", { class: column.numeric ? "number" : null }, column.cell(row))))));
    count.textContent = `${whole.format(kept.length)} rows`;
    heads.forEach((head, index) => {
      if (index === by) head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
  };
  const heads = columns.map((column, index) => el("th", { scope: "col", class: column.numeric ? "number" : null },
    el("button", {
      type: "button", title: column.about ?? null,
      onclick: () => {
        falling = index === by ? !falling : Boolean(column.numeric);
        by = index;
        show();
      },
    }, column.title)));
  const table = el("table", {}, el("caption", {}, caption), el("thead", {}, el("tr", {}, heads)), body);
  show();
  const finder = el("input", {
    type: "search", placeholder: "Find", "aria-label": `Find in: ${caption}`,
    oninput: later((event) => { wanted = event.target.value.trim().toLowerCase(); show(); }, 120),
  });
  return el("div", {}, el("div", { class: "controls" }, finder, count),
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption }, table));
}
