// The source of data that lies in the page itself.

class Embedded {
  constructor(data) {
    this.live = false;
    this.report = data.report;
    this.tokenizers = data.tokenizers;
    this.samples = data.samples;
    this.kinds = data.kinds;
    this.scripts = data.scripts;
    this.largest = 1 << 20;
    this.classes = data.classes;
    this.loaded = new Map();
  }

  load(name) {
    if (!this.loaded.has(name)) {
      const embedded = this.tokenizers.find((each) => each.name === name);
      this.loaded.set(name, Encoder.load(embedded, this.classes));
    }
    return this.loaded.get(name);
  }

  async encode(name, text) {
    const { entries, encoder } = await this.load(name);
    const special = new Set(encoder === null ? [] : encoder.settings.special);
    if (encoder !== null) {
      const tokens = encoder.encode(text).flatMap(({ ids }) =>
        ids.map((id, index) => ({ id, data: entries.bytes(id), begins: index === 0 })));
      return { tokens, special };
    }
    const sample = this.samples.find((each) => each.text === text);
    if (sample === undefined) return { tokens: [], special, obstacle: this.tokenizers.find((each) => each.name === name).obstacle };
    return { tokens: sample.ids[name].map((id) => ({ id, data: entries.bytes(id), begins: null })), special };
  }

  async explain(name, piece) {
    const { encoder } = await this.load(name);
    return encoder === null ? null : encoder.explain(piece);
  }

  async entries({ tokenizer, find, kind, script, order, offset, limit }) {
    const embedded = this.tokenizers.find((each) => each.name === tokenizer);
    const { entries } = await this.load(tokenizer);
    embedded.columns ??= {
      kinds: new Uint8Array(await unpack(embedded.kinds)),
      scripts: new Int16Array(await unpack(embedded.scripts)),
      uses: embedded.uses === null ? null : new Float64Array(await unpack(embedded.uses)),
    };
    const { kinds, scripts, uses } = embedded.columns;
    const wanted = find === "" ? null : binaryOf(find);
    const ids = [];
    for (let id = 0; id < entries.size; id++) {
      if (!entries.has(id)) continue;
      if (kind !== "" && this.kinds[kinds[id]] !== kind) continue;
      if (script !== "" && this.scripts[scripts[id]] !== script) continue;
      if (wanted !== null && String(id) !== find && !entries.bytes(id).includes(wanted)) continue;
      ids.push(id);
    }
    if (order === "length") ids.sort((one, other) => entries.lengths[other] - entries.lengths[one] || one - other);
    if (uses !== null && order === "uses") ids.sort((one, other) => uses[other] - uses[one] || one - other);
    if (uses !== null && order === "unused") ids.sort((one, other) => uses[one] - uses[other] || one - other);
    return {
      total: ids.length,
      rows: ids.slice(offset, offset + limit).map((id) => ({
        id, data: entries.bytes(id), kind: this.kinds[kinds[id]], script: this.scripts[scripts[id]] ?? null,
        uses: uses === null ? null : uses[id],
      })),
    };
  }
}
