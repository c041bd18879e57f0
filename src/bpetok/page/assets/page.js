// Puts the parts of the page into the places that it has for them.

async function begin() {
  if (document.querySelector("[data-part]") === null) {
    document.documentElement.dataset.ready = "";
    return;
  }
  const embedded = document.getElementById("data");
  const source = embedded === null ? await Live.connect() : new Embedded(JSON.parse(embedded.textContent));
  const places = {
    languages: async () => languageTable(await source.report),
    vocabulary: () => vocabularyBrowser(source),
    viewer: () => viewer(source),
  };
  await Promise.all([...document.querySelectorAll("[data-part]")].map(async (place) => {
    try {
      place.replaceChildren(await places[place.dataset.part]());
    } catch (error) {
      place.replaceChildren(el("p", { class: "note" }, `This part could not be shown: ${error.message}`));
      console.error(error);
    }
  }));
  document.documentElement.dataset.ready = "";
}

begin();
