// The graph of a job's stages: what flows along each edge, and the law that nothing is lost.

import {el, svg} from "./dom.js";
import {settled, sum, whole} from "./words.js";

const BOX = {width: 168, height: 62}, STEP = {x: 290, y: 132}, LEFT = 118, TOP = 12;

// How many edges a stage is away from the input. A stage that reads itself round a corner is none that there is.
function depths(stages) {
  const byName = new Map(stages.map(stage => [stage.name, stage])), known = new Map();
  const depth = (name, above) => {
    if (known.has(name)) return known.get(name);
    if (above.has(name)) return 0;
    const from = byName.get(name).reads.filter(each => byName.has(each));
    const found = from.length ? 1 + Math.max(...from.map(each => depth(each, new Set([...above, name])))) : 0;
    known.set(name, found);
    return found;
  };
  return stages.map(stage => depth(stage.name, new Set()));
}

function placed(stages) {
  const columns = depths(stages), taken = [];
  return new Map(stages.map((stage, index) => {
    const column = columns[index], row = (taken[column] = (taken[column] ?? -1) + 1);
    return [stage.name, {x: LEFT + column * STEP.x, y: TOP + row * STEP.y}];
  }));
}

const words = (x, y, class_, said, anchor = "start") => svg("text", {x, y, class: class_, "text-anchor": anchor}, said);

function edge(from, to, class_ = "") {
  const bend = Math.max(24, (to.x - from.x) / 2);
  return svg("path", {class: class_, d: `M${from.x},${from.y} C${from.x + bend},${from.y} ${to.x - bend},${to.y} ${to.x - 5},${to.y}`, "marker-end": "url(#arrow)"});
}

export function graph(job) {
  const stages = job.stages, marks = [];
  const at = placed(stages);
  const read = new Set(stages.flatMap(stage => stage.reads));
  let right = 0, low = 0;
  for (const stage of stages) {
    const place = at.get(stage.name), middle = place.y + BOX.height / 2, end = place.x + BOX.width;
    const now = stage.name === job.stage && job.state === "running";
    const froms = stage.reads.filter(name => at.has(name));
    marks.push(svg("g", {class: now ? "now" : ""},
      svg("rect", {x: place.x, y: place.y, width: BOX.width, height: BOX.height, rx: 10}),
      words(place.x + 12, place.y + 24, "title", cut(stage.name || job.name)),
      words(place.x + 12, place.y + 44, "small", `${stage.state} · ${whole(settled(stage))} read`)));
    if (!froms.length) {
      marks.push(edge({x: place.x - 104, y: middle}, {x: place.x, y: middle}), words(place.x - 104, middle - 7, "", whole(settled(stage))), words(place.x - 104, middle + 16, "small", "rows in"));
    }
    for (const name of froms) {
      const from = at.get(name), start = {x: from.x + BOX.width, y: from.y + BOX.height / 2};
      marks.push(edge(start, {x: place.x, y: middle}));
    }
    marks.push(words(end + 10, middle - 7, "", whole(stage.delivered)), words(end + 10, middle + 16, "small", "delivered"));
    if (!read.has(stage.name)) marks.push(edge({x: end, y: middle}, {x: end + 92, y: middle}));
    for (const [shift, kind, counts] of [[34, "dropped", stage.dropped], [BOX.width - 44, "dead", stage.dead]]) {
      const x = place.x + shift, y = place.y + BOX.height;
      marks.push(svg("path", {class: kind, d: `M${x},${y} v22`, "marker-end": "url(#arrow)"}), words(x, y + 40, kind, `${whole(sum(counts))} ${kind}`, "middle"));
    }
    right = Math.max(right, end + 110);
    low = Math.max(low, place.y + BOX.height + 50);
  }
  const arrow = svg("marker", {id: "arrow", viewBox: "0 0 8 8", refX: 6, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto"}, svg("path", {d: "M0,0 L8,4 L0,8 z"}));
  return svg("svg", {width: right, height: low, viewBox: `0 0 ${right} ${low}`, role: "img", "aria-label": `stages of ${job.name}`}, svg("defs", {}, arrow), ...marks);
}

const cut = name => (name.length > 20 ? `${name.slice(0, 19)}…` : name);

// read = delivered + dropped + dead, stage by stage.
export function law(job) {
  const head = ["stage", "read", "= delivered", "+ dropped", "+ dead"];
  const line = stage => [stage.name || job.name, settled(stage), stage.delivered, sum(stage.dropped), sum(stage.dead)];
  const reasons = stage => [...pairs(stage.dropped), ...pairs(stage.dead)].join(", ");
  return [
    el("thead", {}, el("tr", {}, ...head.map(name => el("th", {scope: "col"}, name)), el("th", {scope: "col"}, "why"))),
    el("tbody", {}, ...job.stages.map(stage => el("tr", {}, ...line(stage).map((told, place) => el("td", {}, place ? whole(told) : told)), el("td", {class: "soft"}, reasons(stage))))),
  ];
}

const pairs = counts => Object.entries(counts).filter(([, count]) => count).map(([reason, count]) => `${reason} ${whole(count)}`);
