// The languages of a report: a table with a bar that shows what each premium is made of.

// byte premium x vocabulary penalty, on a logarithmic scale, so that the two lengths add up to the premium's. Where the
// vocabulary makes up for bytes, what it saves is drawn behind the premium.
function premiumBar(figures, widest) {
  const bytes = Math.max(0, Math.log2(figures.byte_premium.value)), all = Math.max(0, Math.log2(figures.premium.value));
  const scale = 100 / Math.log2(widest);
  const part = (name, from, to) => el("span", {
    class: name, style: { left: `${scale * from}%`, width: `${scale * Math.max(0, to - from)}%` },
  });
  const said = `${times(figures.premium.value)} = UTF-8 ${times(figures.byte_premium.value)} · vocabulary ${times(figures.vocabulary_penalty.value)}`;
  return el("span", { class: "premium-bar", role: "img", "aria-label": said, title: said },
    part("utf8", 0, Math.min(bytes, all)), part("vocabulary", bytes, all), part("saved", all, bytes));
}

function interval(figure, show) {
  const range = figure.low === null ? null : `95 % interval: ${show(figure.low)} to ${show(figure.high)}`;
  return el("span", { title: range }, show(figure.value));
}

function languageTable(report) {
  const chosen = ["premium", "byte_premium", "vocabulary_penalty", "tokens_per_word", "continued_words",
    "borders_in_characters", "split_graphemes", "byte_tokens", "bytes_per_token", "context_window"];
  const shows = { times, share: percent, tokens: (value) => (value >= 1000 ? whole.format(Math.round(value)) : value.toFixed(2)) };
  let tokenizer = report.tokenizers[0].name;
  const holder = el("div");
  const draw = () => {
    const found = report.tokenizers.find((each) => each.name === tokenizer);
    const rows = report.corpus.languages.map((language) => ({ language, figures: found.languages[language.code].figures }));
    const widest = Math.max(2, ...report.tokenizers.flatMap((each) =>
      Object.values(each.languages).map((language) => language.figures.premium?.value ?? 1)));
    const columns = [
      { title: "Language", value: (row) => row.language.name, cell: (row) => row.language.name },
      { title: "Code", value: (row) => row.language.code, cell: (row) => el("code", {}, row.language.code) },
      { title: "Script", value: (row) => row.language.script, cell: (row) => row.language.script },
      {
        title: "UTF-8 · vocabulary", about: "What the premium is made of", numeric: true,
        value: (row) => row.figures.premium?.value ?? null,
        cell: (row) => (row.figures.premium ? premiumBar(row.figures, widest) : "–"),
      },
      ...chosen.filter((name) => rows.some((row) => row.figures[name])).map((name) => {
        const measure = report.measures[name];
        const show = shows[measure.unit] ?? ((value) => value.toFixed(2));
        return {
          title: measure.title, about: measure.definition, numeric: true,
          value: (row) => row.figures[name]?.value ?? null,
          cell: (row) => (row.figures[name] ? interval(row.figures[name], show) : "–"),
        };
      }),
    ];
    holder.replaceChildren(sortable(columns, rows, {
      sort: 3, caption: `Languages by ${tokenizer}`,
      search: (row) => `${row.language.name} ${row.language.code} ${row.language.script}`,
    }));
  };
  draw();
  const names = report.tokenizers.map((each) => each.name);
  const picker = names.length > 1
    ? choice("Tokenizer", names, tokenizer, (value) => { tokenizer = value; draw(); }) : null;
  return el("div", {}, picker, holder);
}
