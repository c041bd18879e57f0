// A text as its tokens. What is drawn is `{tokens: [{id, data, begins}]}`: `data` is a binary string, and `begins`
// says that a piece begins there (null where that is not known).

// A color for an id: neighbours in number are far apart on the wheel.
function hue(id) {
  return String(Math.round((id * 137.508) % 360));
}

// Where tokens begin and end, in bytes; and which hold whole characters only.
function placed(tokens) {
  let at = 0;
  return tokens.map((token) => {
    const start = at;
    at += token.data.length;
    return { ...token, start, end: at, text: textOf(token.data) };
  });
}

// For each token, whether the other tokenizer has no token over just these bytes.
function differing(known, others) {
  const spans = new Set(placed(others).map((token) => `${token.start}-${token.end}`));
  return known.map((token) => !spans.has(`${token.start}-${token.end}`));
}

// A character that is spread over several tokens, for the title of its cells.
function characterAround(tokens, index) {
  const isMiddle = (data) => data !== "" && (data.charCodeAt(0) & 0xc0) === 0x80;
  let first = index, last = index;
  while (first > 0 && isMiddle(tokens[first].data)) first--;
  while (last + 1 < tokens.length && isMiddle(tokens[last + 1].data)) last++;
  const text = textOf(tokens.slice(first, last + 1).map((token) => token.data).join(""));
  return text === null ? "" : ` of ${visible(text)}`;
}

function drawTokens(tokens, { others = null, special = new Set(), onpick = null } = {}) {
  const known = placed(tokens);
  const differs = others === null ? null : differing(known, others);
  const line = el("div", { class: "tokens", dir: "auto", role: "list" });
  known.forEach((token, index) => {
    const name = nameOf(token.data);
    const about = `id ${token.id} · bytes ${token.start}–${token.end} · ${spelled(token.data)}` +
      (token.text === null ? ` · part${characterAround(known, index)}` : "");
    const classes = ["token"];
    if (token.begins) classes.push("begins");
    if (differs?.[index]) classes.push("differs");
    if (special.has(token.id)) classes.push("special");
    const shown = token.text === null
      ? [...token.data].map((byte) => el("span", { class: "byte" }, hex(byte)))
      : [el("span", { class: "text" }, visible(token.text))];
    const cell = el("span", {
      class: classes.join(" "), role: "listitem", tabindex: index === 0 ? 0 : -1, title: about,
      "aria-label": `${name}, id ${token.id}${differs?.[index] ? ", cut otherwise by the other tokenizer" : ""}`,
      "data-id": token.id, style: { "--hue": hue(token.id) },
      onclick: onpick === null ? null : () => onpick(index),
      onkeydown: (event) => { if (event.key === "Enter" && onpick !== null) onpick(index); },
    }, shown, el("small", { class: "id" }, String(token.id)));
    line.append(cell);
    if (token.text?.endsWith("\n")) line.append(el("br"));
  });
  line.addEventListener("keydown", (event) => {
    const to = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
    if (to === undefined) return;
    const cells = [...line.querySelectorAll(".token")];
    const at = cells.indexOf(document.activeElement);
    const next = Math.max(0, Math.min(cells.length - 1, at + to));
    if (at < 0 || cells.length === 0) return;
    cells[at].tabIndex = -1;
    cells[next].tabIndex = 0;
    cells[next].focus();
    event.preventDefault();
  });
  return line;
}
