"use strict";
(() => {
  const page = JSON.parse(document.getElementById("page").textContent);
  const at = (id) => document.getElementById(id);
  const MOST_ROWS = 20;
  const SLOWEST_SECONDS = 15;
  const DASH = "–";
  const trials = new Map();
  let language = readersLanguage();
  let state = null;
  let version = "";
  let ahead = 0; // of this clock, the server's
  let all = false;
  let wait = page.seconds;

  const word = (key, values = {}) =>
    (page.words[language][key] ?? key).replace(/{(\w+)}/g, (_, name) => values[name] ?? "");
  const fraction = (value) => (value == null ? DASH : value.toFixed(3));
  const hours = (value) => (value >= 10 ? value.toFixed(1) : value.toPrecision(3));
  const ago = (seconds) => {
    const whole = Math.max(0, Math.round(seconds));
    if (whole < 60) return `${whole}s`;
    if (whole < 3600) return `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, "0")}s`;
    return whole < 172800 ? `${Math.floor(whole / 3600)}h${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")}m` : `${Math.floor(whole / 86400)}d`;
  };
  const since = (writtenAt) => ago(Date.now() / 1000 + ahead - writtenAt);

  const made = (tag, text) => {
    const element = document.createElement(tag);
    element.textContent = text;
    return element;
  };
  const tell = (id, text, ...lines) => at(id).replaceChildren(text, ...lines.map((line) => made("small", line)));
  const trouble = (text) => {
    at("trouble").hidden = !text;
    at("trouble").textContent = text;
  };
  const calm = () => trouble(state.experiments?.length === 0 ? word("no_experiment_yet") : "");
  const row = (...cells) => {
    const line = document.createElement("tr");
    line.append(...cells.map((cell) => {
      const place = document.createElement("td");
      place.append(cell);
      return place;
    }));
    return line;
  };

  // Text that plotly shows as it is: its labels are a kind of HTML, and MARK has a meaning in figures.
  const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(MARK, "&#167;");

  const over = ({ over: done, trials: wanted }) => (wanted == null ? `${done}` : `${done} / ${wanted}`);
  const left = ({ left: time, sure }) => (time == null ? DASH : word(sure ? "about" : "at_most", { time }));
  const epochsOf = (done, full) => (full == null ? `${done}` : `${done}/${full}`);

  const showIndex = () => {
    at("list").replaceChildren(...state.experiments.map(({ region, name, metric, written_at, figures, problem }) => {
      const link = made("a", name);
      link.href = `experiment?${new URLSearchParams({ region, name })}`;
      if (!("state" in figures)) return row(region, link, problem, "", "", "", "");
      const best = figures.best ? `${fraction(figures.best[1])} ${word(metric)}` : DASH;
      return row(region, link, problem || word(figures.state), over(figures), best, left(figures), word("ago", { time: since(written_at) }));
    }));
    calm();
  };

  const showTiles = ({ figures, metric }) => {
    const { best, gpu_hours, money } = figures;
    tell("state", word(figures.state));
    tell("trials_over", over(figures), ...Object.entries(figures.asides).map(([name, count]) => `${word(name)}: ${count}`));
    const shown = figures.running.slice(0, 8).map(([name, epochs, full]) => `${name}: ${epochsOf(epochs, full)}`);
    tell("running_now", `${figures.running.length}`, ...shown);
    if (best) tell("best_so_far", fraction(best[1]), word(metric), `${best[0]}, ${word("in_epoch", { epoch: best[2] ?? DASH })}`);
    else tell("best_so_far", DASH);
    tell("time_left", left(figures));
    tell("epochs_run", figures.epochs.toLocaleString("en"));
    tell("images_drawn", figures.images ? figures.images.toLocaleString("en") : DASH);
    const spent = gpu_hours ? word("gpu_hours_short", { hours: hours(gpu_hours) }) : word("hours_short", { hours: hours(figures.hours) });
    tell("cost_so_far", spent, ...(money == null ? [] : [`${word("money")}: ${money.toFixed(2)}`]));
  };

  const bestFirst = () => {
    const place = ({ status, score }) => (status === "running" ? 0 : ["diverged", "failed"].includes(status) || score == null ? 2 : 1);
    return [...trials.values()].sort((a, b) => place(a) - place(b) || (b.score ?? -1) - (a.score ?? -1));
  };

  const showTrials = (metric) => {
    const shown = all ? bestFirst() : bestFirst().slice(0, MOST_ROWS);
    at("head-score").textContent = word(metric);
    at("list").replaceChildren(...shown.map((trial) => row(
      trial.id, word(trial.status), fraction(trial.score), `${trial.best_epoch ?? DASH}`, epochsOf(trial.epochs, trial.of),
      trial.hours ? hours(trial.hours) : DASH, trial.error ?? "",
    )));
    at("all").hidden = all || trials.size <= MOST_ROWS;
    at("all").textContent = word("show_all", { count: trials.size });
  };

  // One line for all trials of a status, broken between them.
  const lineOf = (some) => {
    const [x, y, text] = [[], [], []];
    for (const { id, points } of some) {
      const name = plain(id);
      for (const [epoch, value] of points) { x.push(epoch); y.push(value); text.push(name); }
      x.push(null); y.push(null); text.push("");
    }
    return { type: "scatter", x, y, text };
  };

  const showCurves = ({ figures, metric }) => {
    const found = [...trials.values()].filter(({ points }) => points.length);
    const data = [];
    for (const [status, color] of Object.entries(page.colours)) {
      const some = found.filter((trial) => (trial.status === "failed" ? "diverged" : trial.status === "waiting" ? "interrupted" : trial.status) === status);
      if (!some.length) continue;
      const running = status === "running";
      data.push({
        ...lineOf(some), mode: running ? "lines+markers" : "lines", name: word(status === "diverged" ? "diverged_or_failed" : status),
        line: { color, width: running ? 2 : 1 }, marker: { size: 4 }, opacity: running ? 1 : 0.45,
        ...(running ? { hovertemplate: "%{text}: %{y} (%{x})<extra></extra>" } : { hoverinfo: "skip" }),
      });
    }
    const best = figures.best && trials.get(figures.best[0]);
    if (best) data.push({
      ...lineOf([best]), mode: "lines+markers", name: word("best_so_far"), line: { color: page.colours.champion, width: 2.5 },
      marker: { size: 4 }, hovertemplate: "%{y} (%{x})<extra></extra>",
    });
    const axis = (title, more) => ({ title: { text: word(title) }, automargin: true, ...more });
    drawFigure(at("curves"), {
      data,
      layout: {
        height: 400, uirevision: "kept", legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" }, showlegend: true,
        xaxis: axis("epoch", { rangemode: "tozero" }), yaxis: axis(metric),
      },
    }, {});
  };

  const show = () => {
    if (!state) return;
    if (page.kind === "index") return showIndex();
    calm();
    showTiles(state);
    showTrials(state.metric);
    showCurves(state);
  };

  const take = (news) => {
    if (news.now) ahead = news.now - Date.now() / 1000;
    if (news.problem) return trouble(news.problem);
    if (news.gone) return trouble(word("gone"));
    if (news.whole) trials.clear();
    for (const trial of news.trials ?? []) trials.set(trial.id, trial);
    ({ version } = news);
    state = news;
    show();
  };

  const ask = async () => {
    const query = new URLSearchParams(page.query ?? "");
    query.set("since", version);
    const answer = await fetch(`${page.kind}.json?${query}`, { cache: "no-store" });
    if (answer.status === 200) take(await answer.json());
    else if (state) calm(); // nothing has changed
  };

  const follow = async () => {
    if (!document.hidden) {
      try {
        await ask();
        wait = page.seconds;
      } catch {
        trouble(word("lost"));
        wait = Math.min(2 * wait, SLOWEST_SECONDS);
      }
    }
    setTimeout(follow, 1000 * wait);
  };

  const speak = (chosen) => {
    language = chosen;
    document.documentElement.lang = chosen;
    for (const button of document.querySelectorAll("[data-language]")) {
      button.setAttribute("aria-pressed", String(button.dataset.language === chosen));
    }
    show();
  };

  document.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-language], #all");
    if (!button) return;
    if (button.dataset.language) speak(button.dataset.language);
    else { all = true; show(); }
  });
  addEventListener("resize", () => { if (state && page.kind === "experiment") showCurves(state); });
  darkTheme.addEventListener("change", () => { if (state && page.kind === "experiment") showCurves(state); });
  setInterval(() => {
    if (state?.written_at) at("written").textContent = word("written", { time: since(state.written_at) });
    state?.experiments?.forEach(({ written_at }, place) => {
      at("list").rows[place].lastChild.textContent = word("ago", { time: since(written_at) });
    });
  }, 1000);
  speak(language);
  follow();
})();
