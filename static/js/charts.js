// Charts out of the tables that stand beside them: what a chart shows, its table says too.
// <figure data-chart="bars|stack" data-unit="count|minutes|money|ms"><div class="chart-area"></div><table>…
// A column's head has the colour as data-tone (a token's name); a cell has the number as data-value,
// its text is shown when the pointer is over it. Drawn by uPlot (static/vendor).

const HEIGHT = 190;
const WIDEST_BAR = 36;
const MOST_LABELS_EVERY = 72; // px a label of the x axis takes

for (const figure of document.querySelectorAll("[data-chart]")) draw(figure);

function draw(figure) {
  const table = read(figure.querySelector("table"));
  const area = figure.querySelector(".chart-area");
  const sums = figure.dataset.chart === "stack" ? stacked(table.values) : table.values;
  const chart = new window.uPlot(options(figure, table, area), [table.places, ...sums], area);
  new ResizeObserver(() => chart.setSize({ width: area.clientWidth, height: HEIGHT })).observe(area);
  const redraw = () => chart.redraw(false, true);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
}

function read(table) {
  const heads = [...table.tHead.rows[0].cells].slice(1);
  const rows = [...table.tBodies[0].rows];
  return {
    names: heads.map((head) => head.textContent.trim()),
    tones: heads.map((head) => head.dataset.tone),
    labels: rows.map((row) => row.cells[0].dataset.short || row.cells[0].textContent.trim()),
    titles: rows.map((row) => row.cells[0].textContent.trim()),
    texts: heads.map((_, at) => rows.map((row) => row.cells[at + 1].textContent.trim())),
    values: heads.map((_, at) => rows.map((row) => Number(row.cells[at + 1].dataset.value))),
    places: rows.map((_, place) => place),
  };
}

/** Each series on top of those before it, the highest first: a lower one is painted over it. */
function stacked(values) {
  return values
    .map((_, at) => values[0].map((_, place) => sum(values.slice(0, at + 1).map((one) => one[place]))))
    .reverse();
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}

function options(figure, table, area) {
  const tones = figure.dataset.chart === "stack" ? [...table.tones].reverse() : table.tones;
  const colour = colours(area);
  const bars = window.uPlot.paths.bars({ size: [0.68, WIDEST_BAR], radius: 0.12 });
  const number = numbers(figure);
  return {
    width: area.clientWidth,
    height: HEIGHT,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: {
      x: { time: false, range: () => [-0.6, table.places.length - 0.4] },
      y: { range: (_chart, _low, high) => [0, high > 0 ? high * 1.06 : 1] },
    },
    axes: [
      {
        ...axis(colour),
        size: 28,
        grid: { show: false },
        splits: (chart) => every(table.places, chart.bbox.width / devicePixelRatio),
        values: (_chart, places) => places.map((place) => table.labels[place] ?? ""),
      },
      { ...axis(colour), size: 64, space: 36, values: (_chart, splits) => splits.map(number) },
    ],
    series: [{}, ...tones.map((tone) => ({ paths: bars, fill: () => colour(tone), width: 0, points: { show: false } }))],
    plugins: [hint(table)],
  };
}

function axis(colour) {
  return {
    stroke: () => colour("--ink-faint"),
    font: `12px ${getComputedStyle(document.body).fontFamily}`,
    grid: { stroke: () => colour("--line"), width: 1 },
    ticks: { show: false },
    border: { show: false },
  };
}

function every(places, width) {
  const step = Math.max(1, Math.ceil(places.length / Math.max(1, Math.floor(width / MOST_LABELS_EVERY))));
  return places.filter((place) => place % step === 0);
}

/** Tokens are light-dark(): what one is now, only an element that wears it can tell. */
function colours(area) {
  const probe = document.createElement("span");
  probe.hidden = true;
  area.append(probe);
  return (token) => {
    probe.style.color = `var(${token})`;
    return getComputedStyle(probe).color;
  };
}

function numbers(figure) {
  const { unit, currency } = figure.dataset;
  const format = (options) => new Intl.NumberFormat(document.documentElement.lang, options);
  const plain = format({ notation: "compact", maximumFractionDigits: 1 });
  if (unit === "money" && currency) {
    const money = format({ style: "currency", currency, maximumSignificantDigits: 3 });
    return (value) => money.format(value);
  }
  if (unit === "ms") {
    const seconds = format({ maximumFractionDigits: 2 });
    return (value) => `${seconds.format(value / 1000)} s`;
  }
  if (unit === "minutes") return (value) => plain.format(value);
  return (value) => (Number.isInteger(value) ? plain.format(value) : "");
}

/** What the pointer is over, in words: the texts of the table's row. */
function hint(table) {
  const box = document.createElement("div");
  box.className = "chart-hint";
  box.hidden = true;
  return {
    hooks: {
      init: (chart) => chart.over.append(box),
      setCursor: (chart) => {
        const place = chart.cursor.idx;
        box.hidden = place === null || place === undefined || chart.cursor.left < 0;
        if (box.hidden) return;
        box.replaceChildren(...lines(table, place));
        const half = box.offsetWidth / 2;
        const middle = chart.valToPos(place, "x");
        box.style.left = `${Math.min(Math.max(middle, half), chart.over.clientWidth - half)}px`;
      },
    },
  };
}

function lines(table, place) {
  const title = document.createElement("b");
  title.textContent = table.titles[place];
  const texts = table.names.map((name, at) => {
    const line = document.createElement("span");
    line.textContent = `${name}: ${table.texts[at][place]}`;
    return line;
  });
  return [title, ...texts];
}
