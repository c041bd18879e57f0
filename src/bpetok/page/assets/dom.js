// Small helpers for building the page. Text only ever becomes a text node, so that no text can be markup.

function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "style") for (const [part, to] of Object.entries(value)) made.style.setProperty(part, to);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

// A list to choose from. `options` are texts, or pairs of value and text.
function choice(label, options, value, onchange) {
  const select = el("select", { onchange: () => onchange(select.value) },
    options.map((option) => {
      const [key, text] = Array.isArray(option) ? option : [option, option];
      return el("option", { value: key, selected: key === value }, text);
    }));
  return el("label", {}, label, " ", select);
}

function later(run, milliseconds) {
  let timer = null;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...given), milliseconds);
  };
}

const whole = new Intl.NumberFormat("en");

function times(value, digits = 2) {
  return value === null || value === undefined ? "–" : `${value.toFixed(digits)}×`;
}

function percent(value) {
  return value === null || value === undefined ? "–" : `${(100 * value).toFixed(1)} %`;
}

function hex(byte) {
  return byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0");
}

function spelled(data) {
  return [...data].map(hex).join(" ");
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

// The text of a binary string, or null where it is no UTF-8.
function textOf(data) {
  try {
    return decoder.decode(Uint8Array.from(data, (char) => char.charCodeAt(0)));
  } catch {
    return null;
  }
}

// White space and what has no shape, made visible.
const SHAPES = { " ": "·", "\n": "⏎", "\r": "␍", "\t": "⇥", "\u00a0": "⍽", "\u200b": "∅", "\u200d": "⁀", "\u3000": "□" };

function visible(text) {
  return text.replace(/[\u0000-\u0020\u007f-\u00a0\u00ad\u200b-\u200f\u2028-\u202f\u3000\ufeff]/g, (char) => {
    const code = char.codePointAt(0);
    return SHAPES[char] ?? (code < 32 ? String.fromCodePoint(0x2400 + code) : `⟨${code.toString(16).toUpperCase()}⟩`);
  });
}

function nameOf(data) {
  const text = textOf(data);
  return text === null ? spelled(data) : visible(text);
}
