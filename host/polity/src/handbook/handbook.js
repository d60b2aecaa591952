"use strict";
// On a narrow screen the list of pages would stand before the page; it opens when it is asked for.
if (window.matchMedia("(max-width: 46rem)").matches) document.getElementById("pages")?.removeAttribute("open");
// The search: every word of the question must stand in a page; titles count most.
(() => {
  const field = document.getElementById("search");
  const found = document.getElementById("found");
  const pages = window.handbook;
  if (!field || !found || !Array.isArray(pages)) return;
  field.disabled = false;
  const stem = (word) => word.replace(/(ing|ed|es|s)$/, (end, _, at) => (at >= 3 ? "" : end)).replace(/e$/, (end, at) => (at >= 3 ? "" : end));
  const words = (text) => text.toLowerCase().split(/[^\p{L}\p{N}]+/u).filter(Boolean).map(stem);
  const index = pages.map((page) => ({ page, title: words(page.title), text: words(page.text) }));
  const score = (entry, asked) => {
    let sum = 0;
    for (const word of asked) {
      const has = (list) => list.some((known) => known.startsWith(word));
      if (has(entry.title)) sum += 3;
      else if (has(entry.text)) sum += 1;
      else return 0;
    }
    return sum;
  };
  field.addEventListener("input", () => {
    const asked = words(field.value);
    const hits = asked.length === 0 ? [] : index
      .map((entry) => [score(entry, asked), entry.page])
      .filter(([sum]) => sum > 0)
      .sort(([a], [b]) => b - a)
      .slice(0, 8);
    found.replaceChildren(...hits.map(([, page]) => {
      const item = document.createElement("li");
      const link = document.createElement("a");
      link.href = page.page;
      link.textContent = page.title;
      const kind = document.createElement("small");
      kind.textContent = " " + page.kind;
      item.append(link, kind);
      return item;
    }));
    if (asked.length > 0 && hits.length === 0) found.textContent = "Nothing here speaks of that.";
  });
})();
