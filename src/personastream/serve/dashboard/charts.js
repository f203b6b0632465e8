// Live charts: what the page has seen of the service, or of one job, since it was opened.
/* global uPlot */

import {el, say} from "./dom.js";
import {ENDED, latency, money, rate, short, sum, whole} from "./words.js";

const SEEN_S = 900, SKEW_S = 5;

const CHARTS = [
  {title: "rows / s", words: rate, lines: {"rows / s": ["--blue", "rows"]}},
  {title: "requests in flight", words: whole, lines: {"in flight": ["--blue", "flight"], limit: ["--olive", "limit"]}},
  {title: "turned away / s", words: rate, lines: {"429s / s": ["--red", "throttled"]}},
  {title: "latency", words: latency, lines: {p50: ["--green", "p50"], p95: ["--blue", "p95"], p99: ["--red", "p99"]}},
  {title: "tokens / s", words: rate, lines: {"tokens / s": ["--blue", "tokens"]}},
  {title: "spend", words: money, lines: {spend: ["--olive", "spend"]}},
];

const CLOCK = new Intl.DateTimeFormat([], {hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23"});

const most = values => {
  const known = values.filter(value => value !== null);
  return known.length ? Math.max(...known) : null;
};

// The figures of one moment: of all jobs together ("") and of each. Of percentiles, the worst job's.
function figures(view) {
  const going = view.jobs.filter(job => !ENDED.has(job.state) && (job.in_flight || job.rows_per_s || job.state === "running"));
  const limit = sum(view.endpoints.map(each => each.limit));
  const moment = new Map([["", {
    rows: sum(going.map(job => job.rows_per_s)), flight: sum(going.map(job => job.in_flight)), limit,
    turned: sum(view.endpoints.map(each => each.throttled)), tokens: sum(going.map(job => job.tokens_per_s)),
    p50: most(going.map(job => job.latency_p50_s)), p95: most(going.map(job => job.latency_p95_s)),
    p99: most(going.map(job => job.latency_p99_s)), spend: view.spend,
  }]]);
  for (const job of going) {
    moment.set(job.name, {
      rows: job.rows_per_s, flight: job.in_flight, turned: job.throttled, tokens: job.tokens_per_s, spend: job.spend,
      limit: sum(view.endpoints.filter(each => each.jobs.includes(job.name)).map(each => each.limit)),
      p50: job.latency_p50_s, p95: job.latency_p95_s, p99: job.latency_p99_s,
    });
  }
  return moment;
}

export class Charts {
  constructor(parent) {
    this.parent = parent;
    this.seen = [];
    this.chosen = "";
    this.drawn = CHARTS.map(() => null);
    this.parts = CHARTS.map(chart => this.frame(chart));
    parent.append(...this.parts.map(part => part.element));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.anew());
    new ResizeObserver(() => this.resize()).observe(parent);
  }

  frame(chart) {
    const values = Object.keys(chart.lines).map(() => el("b"));
    const legend = Object.keys(chart.lines).map((name, place) =>
      el("span", {}, el("i", {"data-line": place}), chart.title === name ? "" : `${name} `, values[place]));
    const plot = el("div", {class: "plot"});
    const heading = el("h3", {}, chart.title, el("span", {class: "legend"}, ...legend));
    return {element: el("div", {class: "chart"}, heading, plot), plot, values, swatches: legend.map(each => each.firstChild)};
  }

  choose(name) {
    this.chosen = name;
    this.draw();
  }

  take(view) {
    const now = Date.parse(view.now) / 1000 || Date.now() / 1000;
    if (this.seen.length && now < this.seen.at(-1).now - SKEW_S) this.seen = [];  // the clock was set back
    const last = this.seen.at(-1);
    if (last && now <= last.now) return;
    const moment = figures(view);
    for (const [name, one] of moment) {
      const before = last?.moment.get(name);
      one.throttled = before && one.turned >= before.turned ? (one.turned - before.turned) / (now - last.now) : 0;
    }
    this.seen.push({now, moment});
    while (this.seen[0].now < now - SEEN_S) this.seen.shift();
    this.draw();
  }

  data(chart) {
    const rows = [this.seen.map(each => each.now)];
    for (const [, key] of Object.values(chart.lines)) {
      rows.push(this.seen.map(each => each.moment.get(this.chosen)?.[key] ?? null));
    }
    return rows;
  }

  draw() {
    if (!this.seen.length || document.hidden) return;
    CHARTS.forEach((chart, place) => {
      const data = this.data(chart);
      if (!this.drawn[place]) this.drawn[place] = this.plot(chart, this.parts[place], data);
      else this.drawn[place].setData(data);
      this.tell(chart, place, this.drawn[place].cursor.idx ?? data[0].length - 1);
    });
  }

  tell(chart, place, at) {
    const data = this.drawn[place]?.data ?? this.data(chart);
    this.parts[place].values.forEach((value, line) => {
      const told = data[line + 1][at];
      say(value, told === null || told === undefined ? "–" : chart.words(told));
    });
  }

  plot(chart, part, data) {
    const style = getComputedStyle(document.documentElement), colour = name => style.getPropertyValue(name).trim();
    const soft = {stroke: colour("--soft"), font: "11px system-ui, sans-serif", grid: {stroke: colour("--line"), width: 1}, ticks: {show: false}};
    const series = Object.entries(chart.lines).map(([label, [tone]], place) => {
      part.swatches[place].style.background = colour(tone);
      return {label, stroke: colour(tone), width: 1.6, spanGaps: false, points: {show: false},
              fill: Object.keys(chart.lines).length === 1 ? `${colour(tone)}22` : undefined};
    });
    const short_ = chart.words === latency ? latency : short;
    return new uPlot({
      ...this.size(part),
      legend: {show: false},
      cursor: {sync: {key: "now"}, y: false, drag: {x: false, y: false}},
      scales: {y: {range: (_, low, high) => [0, high > 0 ? high * 1.15 : 1]}},
      axes: [{...soft, size: 26, space: 84, values: (_, ticks) => ticks.map(tick => CLOCK.format(1000 * tick))}, {...soft, size: 52, values: (_, ticks) => ticks.map(short_)}],
      series: [{}, ...series],
      hooks: {setCursor: [plot => this.tell(chart, CHARTS.indexOf(chart), plot.cursor.idx ?? this.seen.length - 1)]},
    }, data, part.plot);
  }

  size(part) {
    return {width: Math.max(120, part.plot.clientWidth), height: 150};
  }

  resize() {
    this.drawn.forEach((plot, place) => {
      const size = this.size(this.parts[place]);
      if (plot && plot.width !== size.width) plot.setSize(size);
    });
  }

  anew() {
    this.drawn.forEach(plot => plot?.destroy());
    this.drawn = CHARTS.map(() => null);
    this.draw();
  }
}
