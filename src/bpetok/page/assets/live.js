// The source of data that is a server on this machine; see `server.py`. Bytes travel in hexadecimal.

function unhex(text) {
  return text.replace(/../g, (pair) => String.fromCharCode(parseInt(pair, 16)));
}

class Live {
  static async connect() {
    const live = new Live();
    Object.assign(live, await live.ask("about"));
    live.live = true;
    live.report = live.ask("report");  // takes seconds: waited for where it is drawn
    return live;
  }

  async ask(what, query = {}, body = null) {
    const address = `api/${what}?${new URLSearchParams(query)}`;
    const answer = await fetch(address, body === null ? {} : {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });
    const found = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(found.error ?? `The server answered ${answer.status}.`);
    return found;
  }

  async encode(tokenizer, text) {
    const { tokens, special } = await this.ask("encode", {}, { tokenizer, text });
    return {
      tokens: tokens.map(([id, data, begins]) => ({ id, data: unhex(data), begins })),
      special: new Set(special),
    };
  }

  async explain(tokenizer, piece) {
    const { explained } = await this.ask("explain", {}, { tokenizer, piece });
    if (explained === null) return null;
    const part = ([id, data]) => ({ id, data: unhex(data) });
    return {
      ...explained,
      start: explained.start.map(part),
      steps: explained.steps.map((step) => ({
        ...step, left: part(step.left), right: part(step.right), parts: step.parts.map(part),
      })),
    };
  }

  async entries(query) {
    const { total, rows } = await this.ask("entries", query);
    return { total, rows: rows.map((row) => ({ ...row, data: unhex(row.data) })) };
  }
}
