// One job in detail: its graph, its dead letters, its latest records, its configuration.

import * as api from "./api.js";
import {$, el, say, show} from "./dom.js";
import {act} from "./jobs.js";
import {graph, law} from "./stages.js";
import {duration, latency, moment, sum, visible, whole} from "./words.js";

const PAGE = 50;
const TABS = {dead: showDead, records: showRecords, config: showConfig};

let shown = null;   // the job as it was last told
let tab = "dead";
let drawn = "";     // what the graph was drawn from
let asked = 0;      // answers to earlier questions are passed over

for (const name of Object.keys(TABS)) $(`tab-${name}`).addEventListener("click", () => open(name));

export function showJob(job) {
  show($("job-part"), job !== undefined);
  show($("rows-part"), job !== undefined);
  if (!job) {
    shown = null;
    return;
  }
  const other = shown?.name !== job.name;
  const before = shown;
  shown = job;
  say($("job-title"), job.name);
  say($("rows-title"), `Rows of ${job.name}`);
  say($("job-about"), about(job));
  const now = JSON.stringify([job.stages, job.stage, job.state]);
  if (other || now !== drawn) {
    drawn = now;
    $("graph").replaceChildren(graph(job));
    $("law").replaceChildren(...law(job));
  }
  if (other) open("dead");
  else if (tab === "dead" && deaths(before) !== deaths(job)) changed();
}

// Fewer dead rows than a page holds are shown as they come, unless somebody reads one.
function changed() {
  reasons();
  const seen = $("letters").childElementCount;
  if ((seen < PAGE && !$("letters").querySelector("details[open]")) || seen > sum(dead(shown))) letters();
}

const deaths = job => JSON.stringify(dead(job));

function about(job) {
  const told = [
    job.submitted && `submitted ${moment(job.submitted)}`, job.started && `began ${moment(job.started)}`,
    job.ended && `ended ${moment(job.ended)}`, job.exit_code !== null && `exit code ${job.exit_code}`,
    job.latency_p50_s !== null && `latency ${latency(job.latency_p50_s)}, 95 % within ${latency(job.latency_p95_s)}`,
    job.retries && `${whole(job.retries)} retries`, job.throttled && `${whole(job.throttled)} turned away`,
    job.uncommitted && `${whole(job.uncommitted)} rows to commit`, job.last_commit && `last commit ${moment(job.last_commit)}`,
    job.eta_s !== null && `ETA ${duration(job.eta_s)}`, job.last_fault && `last fault: ${job.last_fault}`, job.directory,
  ];
  return told.filter(Boolean).join(" · ");
}

function open(name) {
  tab = name;
  for (const each of Object.keys(TABS)) $(`tab-${each}`).setAttribute("aria-selected", String(each === name));
  $("panel").setAttribute("aria-labelledby", `tab-${name}`);
  TABS[name]();
}

// Asks, and shows what is answered unless something else has been asked since.
async function fill(parent, ask) {
  const mine = ++asked;
  try {
    const answer = await ask();
    if (mine === asked) parent(answer);
  } catch (error) {
    if (mine === asked) $("panel").replaceChildren(el("p", {class: "trouble", role: "alert"}, error.message));
  }
}

function showConfig() {
  fill(told => $("panel").replaceChildren(el("pre", {}, visible(told))), () => api.text(api.job(shown.name, "/config")));
}

function showRecords() {
  const list = el("ul", {class: "letters"});
  const again = el("button", {type: "button", class: "small", onclick: showRecords}, "Look again");
  fill(told => {
    list.append(...told.records.map(record));
    $("panel").replaceChildren(el("div", {class: "reasons"}, again), told.records.length ? list : el("p", {class: "soft"}, "No record is committed yet."));
  }, () => api.get(api.job(shown.name, "/records?limit=20")));
}

function record(told) {
  const {id = "", description = "", meta = {}, ...texts} = told;
  const parts = Object.entries(texts).filter(([, value]) => typeof value === "string" && value);
  parts.sort((one, other) => other[0].startsWith("input ") - one[0].startsWith("input "));
  return el("li", {class: "record"},
    el("div", {class: "head"}, el("code", {}, id), el("span", {class: "soft"}, [description, meta?.model].filter(each => typeof each === "string" && each).join(" · "))),
    ...parts.map(([name, value]) => el("p", {class: name.startsWith("input ") ? "text soft" : "text", title: name}, visible(value))));
}

// Dead letters, a page at a time, however many there are.

let reason = "";

function showDead() {
  reason = "";
  const list = el("ul", {class: "letters", id: "letters"});
  const more = el("button", {type: "button", id: "more-letters", hidden: true}, "More");
  $("panel").replaceChildren(el("div", {class: "reasons", id: "reasons"}), el("p", {class: "soft", id: "no-letters", hidden: true}, "No row is dead."), list, more);
  reasons();
  letters();
}

function dead(job) {
  const counts = {};
  for (const stage of job.stages) {
    for (const [name, count] of Object.entries(stage.dead)) counts[name] = (counts[name] ?? 0) + count;
  }
  return counts;
}

function reasons() {
  const counts = dead(shown), all = sum(counts);
  const choice = (name, words) => el("button", {type: "button", "data-reason": name, "aria-pressed": String(reason === name), onclick: () => {
    reason = name;
    reasons();
    letters();
  }}, words);
  const names = Object.keys(counts).filter(name => counts[name]).sort((one, other) => counts[other] - counts[one]);
  const retry = el("button", {type: "button", id: "retry", class: "strong small", onclick: () => again(counts)}, reason ? `Ask ${whole(counts[reason] ?? 0)} again` : "Ask all again");
  $("reasons").replaceChildren(...(all ? [choice("", `all ${whole(all)}`), ...names.map(name => choice(name, `${name} ${whole(counts[name])}`)), ...(shown.state === "cancelled" ? [] : [retry])] : []));
  show($("no-letters"), !all);
}

async function again(counts) {
  $("retry").disabled = true;
  await act(shown.name, "retry", reason ? {reasons: [reason]} : {});
  reasons();
}

function letters(after = "") {
  const query = new URLSearchParams({limit: String(PAGE), ...(reason && {reason}), ...(after && {after})});
  fill(told => {
    const list = $("letters"), more = $("more-letters");
    if (!after) list.replaceChildren();
    list.append(...told.letters.map(letter));
    show(more, Boolean(told.next));
    more.onclick = () => letters(told.next);
  }, () => api.get(api.job(shown.name, `/dead?${query}`)));
}

function letter(told) {
  const detail = told.detail ?? told.message ?? "";
  return el("li", {class: "letter"},
    el("div", {class: "head"}, el("code", {}, told.id ?? ""), el("span", {class: "pill bad"}, told.reason ?? ""), el("span", {class: "soft"}, [told.stage, detail].filter(Boolean).join(" · "))),
    el("p", {class: "text"}, visible(told.text ?? "")),
    told.response ? el("details", {}, el("summary", {}, "the last reply"), el("p", {class: "text soft"}, visible(told.response))) : null);
}
