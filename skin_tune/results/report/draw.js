"use strict";
// Draws figures in the reader's words and the theme's colours.
const MARK = "§";
const PRINT_WIDTH = 680;
const darkTheme = matchMedia("(prefers-color-scheme: dark)");

const theme = (printing) => darkTheme.matches && !printing
  ? { ink: "#e7eaef", paper: "#14171c", grid: "#363d48" }
  : { ink: "#1c2026", paper: "#ffffff", grid: "#d9dde3" };

// Copies of a figure with the reader's words and the theme's colours.
const filled = (value, table) => {
  if (typeof value === "string") {
    return value.startsWith(MARK) ? table[value.slice(MARK.length)] ?? value : value;
  }
  if (Array.isArray(value)) return value.map((each) => filled(each, table));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, filled(each, table)]));
  }
  return value;
};

const drawFigure = (element, spec, words, printing = false) => {
  const colours = theme(printing);
  const { data, layout } = filled(spec, { ...words, ...colours });
  element.style.minWidth = printing ? "" : `${layout.meta?.min_width ?? 0}px`;
  for (const axis of ["xaxis", "yaxis", "xaxis2", "yaxis2"].filter((name) => name in layout)) {
    layout[axis] = { gridcolor: colours.grid, zerolinecolor: colours.grid, linecolor: colours.grid, ...layout[axis] };
  }
  Plotly.react(element, data, {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: colours.ink, family: getComputedStyle(document.body).fontFamily, size: 12 },
    margin: { l: 50, r: 16, t: 30, b: 44 },
    hoverlabel: { bgcolor: colours.paper, font: { color: colours.ink } },
    ...layout,
    width: printing ? PRINT_WIDTH : element.clientWidth,
  }, { displaylogo: false, displayModeBar: false });
};

const readersLanguage = () => ((navigator.language || "en").startsWith("ko") ? "ko" : "en");
