// A byte-pair encoder for the page: the ids are those of the library, for the tokenizers that `embed.py` lets
// through. Bytes are held as "binary strings", one character (0 to 255) a byte, so that they can be keys of a Map.

const UNUSED = 0xffffffff;
const utf8 = new TextEncoder();

async function unpack(text) {
  const packed = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

function binary(bytes) {
  let made = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    made += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return made;
}

// The bytes of a text. Half a surrogate pair by itself becomes U+FFFD, as in the library.
function binaryOf(text) {
  return binary(utf8.encode(text));
}

// The entries of a vocabulary, by id.
class Entries {
  constructor(lengths, bytes) {
    this.size = lengths.length;
    this.lengths = lengths;
    this.starts = new Uint32Array(lengths.length + 1);
    for (let id = 0; id < lengths.length; id++) {
      this.starts[id + 1] = this.starts[id] + (lengths[id] === UNUSED ? 0 : lengths[id]);
    }
    this.data = binary(bytes);
  }

  has(id) {
    return id < this.size && this.lengths[id] !== UNUSED;
  }

  bytes(id) {
    return this.data.slice(this.starts[id], this.starts[id + 1]);
  }
}

// The pairs of a list of merges, in a table with open addresses: a Map of two hundred thousand is slow to build.
class Pairs {
  constructor(columns) {
    const count = columns.length / 3;
    this.left = columns.subarray(0, count);
    this.right = columns.subarray(count, 2 * count);
    this.token = columns.subarray(2 * count);
    this.mask = (1 << (33 - Math.clz32(Math.max(count, 1) * 2))) - 1;
    this.slots = new Int32Array(this.mask + 1).fill(-1);
    for (let rank = 0; rank < count; rank++) {
      let at = this.slot(this.left[rank], this.right[rank]);
      if (this.slots[at] < 0) this.slots[at] = rank;
    }
  }

  slot(left, right) {
    let at = (Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b)) >>> 7 & this.mask;
    for (;;) {
      const rank = this.slots[at];
      if (rank < 0 || (this.left[rank] === left && this.right[rank] === right)) return at;
      at = (at + 1) & this.mask;
    }
  }

  rank(left, right) {
    return this.slots[this.slot(left, right)];
  }
}

// A text after one step of a normalizer.
function normalize(text, step) {
  if (step.type === "Prepend") return text && step.prepend + text;
  if (step.type === "Replace") return text.replaceAll(step.pattern.String, () => step.content);
  // SentencePiece without a map of characters.
  if (step.remove_extra_whitespaces) text = text.replace(/^ +/, "").replace(/ +/g, " ");
  if (text === "") return "";
  const space = step.add_dummy_prefix ? " " : "";
  if (!step.treat_whitespace_as_suffix) text = space + text;
  if (step.escape_whitespaces) text = text.replaceAll("\u2581", " ");
  if (step.remove_extra_whitespaces) text = text.replace(/ +$/, "");
  return step.treat_whitespace_as_suffix ? text + space : text;
}

class Encoder {
  static async load(embedded, classes) {
    const lengths = new Uint32Array(await unpack(embedded.lengths));
    const entries = new Entries(lengths, new Uint8Array(await unpack(embedded.bytes)));
    const settings = embedded.encoder;
    if (settings === null) return { entries, encoder: null };
    const merges = settings.merges === null ? null : new Uint32Array(await unpack(settings.merges));
    const counts = settings.counts === null ? null : new Float64Array(await unpack(settings.counts));
    return { entries, encoder: new Encoder(entries, settings, merges, counts, classes) };
  }

  constructor(entries, settings, merges, counts, classes) {
    this.entries = entries;
    this.settings = settings;
    this.counts = counts;
    this.pairs = merges === null ? null : new Pairs(merges);
    const source = settings.pattern.replace(/\\p\{(\w+)\}/g, (_, name) => classes[name]);
    this.pattern = new RegExp(source, "gsu");
    const passed = new Set([...settings.special, ...(settings.byteTokens ?? [])]);
    this.ids = new Map();
    for (let id = entries.size - 1; id >= 0; id--) {
      if (entries.has(id) && !passed.has(id)) this.ids.set(entries.bytes(id), id);
    }
  }

  // The pieces of a text, normalized. What the pattern leaves out is in none.
  pieces(text) {
    const normalized = this.settings.normalizer.reduce(normalize, text.toWellFormed());
    return normalized.match(this.pattern) ?? [];
  }

  // [{piece, ids}] of a text; special tokens in it are ordinary text.
  encode(text) {
    return this.pieces(text).map((piece) => ({ piece, ids: this.encodePiece(piece) }));
  }

  encodePiece(piece) {
    const data = binaryOf(piece);
    if (this.settings.whole) {
      const whole = this.ids.get(data);
      if (whole !== undefined) return [whole];
    }
    return this.expand(this.merge(this.start(piece, data)));
  }

  // What merging starts from: {id, data} each; an id of -1 is a character that the vocabulary does not have.
  start(piece, data) {
    const units = this.settings.alphabet === "bytes" ? [...data] : [...piece.toWellFormed()].map(binaryOf);
    return units.map((unit) => ({ id: this.ids.get(unit) ?? -1, data: unit }));
  }

  // The rank of two neighbours and what they become, or null.
  joined(left, right) {
    if (left.id < 0 || right.id < 0) return null;
    if (this.pairs !== null) {
      const rank = this.pairs.rank(left.id, right.id);
      return rank < 0 ? null : { rank, id: this.pairs.token[rank] };
    }
    const id = this.ids.get(left.data + right.data);
    return id === undefined ? null : { rank: id, id };
  }

  // Merges neighbours, the lowest rank first and the leftmost of equal ones, until none can be. Candidates wait in
  // a heap; one is stale when a neighbour has changed since. `step` hears of every merge.
  merge(parts, step = null) {
    const next = parts.map((_, at) => at + 1);
    const before = parts.map((_, at) => at - 1);
    const heap = [];
    const less = (one, other) => one.rank < other.rank || (one.rank === other.rank && one.at < other.at);
    const push = (at) => {
      if (at < 0 || next[at] >= parts.length) return;
      const found = this.joined(parts[at], parts[next[at]]);
      if (found === null) return;
      const entry = { ...found, at, left: parts[at], right: parts[next[at]] };
      let place = heap.push(entry) - 1;
      while (place > 0 && less(entry, heap[(place - 1) >> 1])) {
        heap[place] = heap[(place - 1) >> 1];
        place = (place - 1) >> 1;
      }
      heap[place] = entry;
    };
    const pop = () => {
      const top = heap[0];
      const last = heap.pop();
      if (heap.length > 0) {
        let place = 0;
        for (;;) {
          let child = 2 * place + 1;
          if (child >= heap.length) break;
          if (child + 1 < heap.length && less(heap[child + 1], heap[child])) child++;
          if (!less(heap[child], last)) break;
          heap[place] = heap[child];
          place = child;
        }
        heap[place] = last;
      }
      return top;
    };
    for (let at = 0; at < parts.length; at++) push(at);
    while (heap.length > 0) {
      const { rank, id, at, left, right } = pop();
      if (parts[at] !== left || next[at] >= parts.length || parts[next[at]] !== right) continue;
      const gone = next[at];
      parts[at] = { id, data: left.data + right.data };
      parts[gone] = null;
      next[at] = next[gone];
      if (next[at] < parts.length) before[next[at]] = at;
      if (step !== null) step({ rank, id, left, right, parts: parts.filter((part) => part !== null) });
      push(before[at]);
      push(at);
    }
    return parts.filter((part) => part !== null);
  }

  // The ids of what merging ends with: a character that is no token becomes its bytes, or the unknown token.
  expand(parts) {
    const made = [];
    const { byteTokens, unknown, fuseUnknown } = this.settings;
    for (const part of parts) {
      if (part.id >= 0) made.push(part.id);
      else if (byteTokens !== null) made.push(...[...part.data].map((byte) => byteTokens[byte.charCodeAt(0)]));
      else if (unknown === null) throw new Error("a character is not in the vocabulary");
      else if (!fuseUnknown || made[made.length - 1] !== unknown) made.push(unknown);
    }
    return made;
  }

  // The merges of one piece: {start, steps: [{rank, id, count, left, right, parts}], ids, whole}.
  explain(piece) {
    const data = binaryOf(piece);
    const start = this.start(piece, data);
    const steps = [];
    const parts = this.merge([...start], (step) => {
      steps.push({ ...step, count: this.counts === null ? null : this.counts[step.rank] });
    });
    const whole = this.settings.whole ? this.ids.get(data) : undefined;
    return { piece, start, steps, whole: whole !== undefined, ids: whole !== undefined ? [whole] : this.expand(parts) };
  }
}
