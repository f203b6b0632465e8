// The graph of a job's stages: what flows along each edge, and the law that nothing is lost.

import {el, svg} from "./dom.js";
import {settled, sum, whole} from "./words.js";

const BOX = {width: 176, height: 52}, STEP = {x: 300, y: 116}, TOP = 54, LANE = 12, SIDE = 112;

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

// From top to bottom, so that any number of stages fits any screen. An edge that passes stages by goes down a lane
// left of all boxes, one for each stage that has such edges, and from line to line only in the gaps between boxes.
function placed(stages) {
  const lines = depths(stages), taken = [], lanes = new Map();
  const lineOf = new Map(stages.map((stage, index) => [stage.name, lines[index]]));
  for (const stage of stages) {
    const far = stage.reads.filter(name => lineOf.has(name) && lineOf.get(stage.name) - lineOf.get(name) > 1);
    if (far.length) lanes.set(stage.name, {x: 4 + lanes.size * LANE, far: new Set(far)});
  }
  const left = 6 + lanes.size * LANE;
  const at = new Map(stages.map((stage, index) => {
    const line = lines[index], column = (taken[line] = (taken[line] ?? -1) + 1);
    const x = left + column * STEP.x, y = TOP + line * STEP.y;
    return [stage.name, {x, y, middle: x + BOX.width / 2, low: y + BOX.height}];
  }));
  return {at, lanes};
}

const words = (x, y, class_, said) => svg("text", {x, y, class: class_}, said);
const path = (d, class_ = "") => svg("path", {class: class_, d, "marker-end": "url(#arrow)"});

function edge(from, to) {
  const bend = (to.y - from.low) / 2;
  return path(from.middle === to.middle ? `M${from.middle},${from.low} V${to.y - 4}`
    : `M${from.middle},${from.low} C${from.middle},${from.low + bend} ${to.middle},${to.y - bend} ${to.middle},${to.y - 4}`);
}

const roundabout = (from, to, lane) =>
  path(`M${from.middle - 24},${from.low} v14 H${lane} V${to.y - 16} H${to.middle - 24} V${to.y - 4}`, "roundabout");

export function graph(job) {
  const stages = job.stages, marks = [];
  const {at, lanes} = placed(stages);
  const read = new Set(stages.flatMap(stage => stage.reads));
  for (const stage of stages) {
    const place = at.get(stage.name), lane = lanes.get(stage.name), end = place.x + BOX.width;
    const now = stage.name === job.stage && job.state === "running", rows = whole(settled(stage));
    const froms = stage.reads.filter(name => at.has(name));
    marks.push(svg("g", {class: now ? "now" : ""},
      svg("rect", {x: place.x, y: place.y, width: BOX.width, height: BOX.height, rx: 10}),
      words(place.x + 12, place.y + 22, "title", cut(stage.name || job.name)),
      words(place.x + 12, place.y + 40, "small", `${stage.state} · ${rows} rows`)));
    if (!froms.length) marks.push(path(`M${place.middle},${place.y - 44} V${place.y - 4}`), words(place.middle + 8, place.y - 22, "", `${rows} rows in`));
    for (const name of froms) marks.push(lane?.far.has(name) ? roundabout(at.get(name), place, lane.x) : edge(at.get(name), place));
    if (!read.has(stage.name)) marks.push(path(`M${place.middle},${place.low} v38`));
    marks.push(words(place.middle + 8, place.low + 24, "", `${whole(stage.delivered)} records`));
    for (const [y, kind, counts] of [[place.y + 16, "dropped", stage.dropped], [place.y + 38, "dead", stage.dead]]) {
      marks.push(path(`M${end},${y} h18`, kind), words(end + 24, y + 4, kind, `${whole(sum(counts))} ${kind}`));
    }
  }
  const places = [...at.values()];
  const width = Math.max(0, ...places.map(place => place.x)) + BOX.width + SIDE, height = Math.max(0, ...places.map(place => place.low)) + 44;
  const arrow = svg("marker", {id: "arrow", viewBox: "0 0 8 8", refX: 6, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto"}, svg("path", {d: "M0,0 L8,4 L0,8 z"}));
  return svg("svg", {width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `stages of ${job.name}`}, svg("defs", {}, arrow), ...marks);
}

const cut = name => (name.length > 20 ? `${name.slice(0, 19)}…` : name);

// rows = delivered + dropped + dead, stage by stage.
export function law(job) {
  const head = ["stage", "rows", "= delivered", "+ dropped", "+ dead"];
  const line = stage => [stage.name || job.name, settled(stage), stage.delivered, sum(stage.dropped), sum(stage.dead)];
  const reasons = stage => [...pairs(stage.dropped), ...pairs(stage.dead)].join(", ");
  return [
    el("thead", {}, el("tr", {}, ...head.map(name => el("th", {scope: "col"}, name)), el("th", {scope: "col"}, "why"))),
    el("tbody", {}, ...job.stages.map(stage => el("tr", {}, ...line(stage).map((told, place) => el("td", {}, place ? whole(told) : told)), el("td", {class: "soft"}, reasons(stage))))),
  ];
}

const pairs = counts => Object.entries(counts).filter(([, count]) => count).map(([reason, count]) => `${reason} ${whole(count)}`);
