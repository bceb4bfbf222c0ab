"use strict";
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const words = read("words");
  const regions = [...document.querySelectorAll("section.region")];
  const paper = matchMedia("print");
  const specs = regions.map(() => null);
  let language = readersLanguage();
  let printing = false;

  const drawRegion = (number) => {
    specs[number] ??= read(`figures-${number}`);
    for (const [id, spec] of Object.entries(specs[number])) {
      try {
        drawFigure(document.getElementById(id), spec, words[language], printing);
      } catch (error) { // the other figures, and the page, do without it
        console.error(`${id} cannot be drawn:`, error);
      }
    }
  };

  const shown = () => regions.findIndex((region) => !region.hidden);

  const choose = (number) => {
    regions.forEach((region, place) => { region.hidden = place !== number; });
    for (const button of document.querySelectorAll("nav button")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.choose) === number));
    }
    drawRegion(number);
  };

  const speak = (chosen) => {
    language = chosen;
    document.documentElement.lang = chosen;
    for (const button of document.querySelectorAll("[data-language]")) {
      button.setAttribute("aria-pressed", String(button.dataset.language === chosen));
    }
    if (shown() >= 0) drawRegion(shown());
  };

  // What a cell shows: a number where it begins with one, else its words; a gap sorts last.
  const key = (cell) => {
    const text = cell.textContent.trim();
    const number = Number.parseFloat(text.replaceAll(",", ""));
    if (text === "" || text === "–") return { gap: true };
    return { number: /^[-+]?[\d.]/.test(text) ? number : Number.NaN, text };
  };

  const sort = (heading) => {
    const table = heading.closest("table");
    const place = heading.cellIndex;
    const down = heading.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => ({ row, ...key(row.cells[place]) }));
    const numeric = rows.every(({ gap, number }) => gap || !Number.isNaN(number));
    const order = (a, b) => (numeric ? a.number - b.number : a.text.localeCompare(b.text, undefined, { numeric: true }));
    rows.sort((a, b) => (a.gap || b.gap ? Number(Boolean(a.gap)) - Number(Boolean(b.gap)) : down ? order(b, a) : order(a, b)));
    const limit = Number(table.dataset.shown ?? Infinity);
    rows.forEach(({ row }, number) => { row.classList.toggle("more", number >= limit); });
    body.append(...rows.map(({ row }) => row));
  };

  const print = (begin) => {
    if (begin === printing) return;
    printing = begin;
    const before = shown();
    if (begin) {
      regions.forEach((region, number) => { region.dataset.hidden = String(region.hidden); region.hidden = false; drawRegion(number); });
    } else {
      regions.forEach((region) => { region.hidden = region.dataset.hidden === "true"; });
      drawRegion(shown() >= 0 ? shown() : before);
    }
  };

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-choose], [data-language], th button, button.all");
    if (!target) return;
    if (target.dataset.choose !== undefined) {
      event.preventDefault();
      choose(Number(target.dataset.choose));
      if (target.tagName === "A") document.querySelector("nav").scrollIntoView();
    } else if (target.dataset.language) {
      speak(target.dataset.language);
    } else if (target.classList.contains("all")) {
      const table = target.parentElement.querySelector("table");
      delete table.dataset.shown;
      for (const row of table.querySelectorAll("tr.more")) row.classList.remove("more");
      target.remove();
    } else {
      sort(target.closest("th"));
    }
  });

  let width = innerWidth;
  addEventListener("resize", () => {
    if (printing || innerWidth === width) return;
    width = innerWidth;
    if (shown() >= 0) drawRegion(shown());
  });
  darkTheme.addEventListener("change", () => { if (!printing && shown() >= 0) drawRegion(shown()); });
  paper.addEventListener("change", (event) => print(event.matches));
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));

  regions.forEach((region) => { region.hidden = true; });
  speak(language);
  if (regions.length) choose(0);
})();
