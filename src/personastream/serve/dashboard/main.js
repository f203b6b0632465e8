// Ties the page together: the state comes once a second, and everything is drawn from it.

import * as api from "./api.js";
import {Charts} from "./charts.js";
import {$, el, keyed, say, show, trouble} from "./dom.js";
import {showEndpoints} from "./endpoints.js";
import {showJob} from "./job.js";
import {showJobs} from "./jobs.js";
import "./submit.js";
import {bytes, duration, money, rate, sum, whole} from "./words.js";

const AGAIN_MS = 2000;

const charts = new Charts($("charts"));
const jobs = new Map();   // all that have been told; events leave out those that ended a while ago
let view = null;
let chosen = "";
let stream = null;

function take(told, whole_) {
  if (whole_) jobs.clear();
  for (const job of told.jobs) jobs.set(job.name, job);
  view = told;
  document.title = `${told.jobs.filter(job => job.state === "running").length} running · personastream`;
  charts.take(told);
  draw();
}

function draw() {
  if (!view || document.hidden) return;
  const list = [...jobs.values()];
  say($("service-state"), view.state === "running" ? (view.ready ? "running" : "not ready") : view.state);
  $("service-state").className = `pill ${view.state === "running" && view.ready ? "good" : "held"}`;
  say($("service-about"), view.why_not.join(" · "));
  say($("version"), `personastream ${view.version}`);
  tiles(list);
  showJobs(list, chosen, choose);
  showJob(jobs.get(chosen));
  showEndpoints(view.endpoints);
}

function tiles(list) {
  const of = most => (most ? `of ${most}` : "");
  const going = list.filter(job => job.state === "running");
  const parts = [
    ["running", whole(going.length), `of ${whole(list.length)} jobs`],
    ["rows / s", rate(sum(list.map(job => job.rows_per_s))), ""],
    ["in flight", whole(sum(view.endpoints.map(each => each.in_flight))), `of ${whole(sum(view.endpoints.map(each => each.limit)))}`],
    ["spent", money(view.spend), of(view.spend_max && money(view.spend_max))],
    ["memory", bytes(view.memory_bytes), of(view.memory_bytes_max && bytes(view.memory_bytes_max))],
    ["disk free", bytes(view.disk_free_bytes), ""],
    ["up for", duration(view.uptime_s), view.loop_lag_s > 0.1 ? `${Math.round(1000 * view.loop_lag_s)} ms late` : ""],
  ];
  keyed($("tiles"), parts, part => part[0], ([name]) => {
    const value = el("span"), small = el("small");
    return {
      element: el("div", {"data-tile": name}, el("dt", {}, name), el("dd", {}, value, " ", small)),
      update: ([, words, rest]) => {
        say(value, words);
        say(small, rest);
      },
    };
  });
}

function choose(name) {
  chosen = name;
  history.replaceState(null, "", name ? `#${new URLSearchParams({job: name})}` : location.pathname);
  charts.choose(name);
  say($("charts-title"), name ? `Now: ${name}` : "Now");
  draw();
  if (name) {
    $("job-part").scrollIntoView({block: "start"});
    $("job-title").focus({preventScroll: true});
  }
}

// Listens for as long as the page is open; what breaks off is begun anew.
async function listen() {
  stream?.abort();
  const mine = (stream = new AbortController());
  while (!mine.signal.aborted) {
    try {
      let first = true;
      for await (const told of api.events("v1/events", mine.signal)) {
        take(told, first);
        if (first) trouble($("trouble"), "");
        first = false;
      }
      throw new TypeError("ended");
    } catch (error) {
      if (mine.signal.aborted) return;
      if (error.status === 401 || error.status === 403) return door(error.message);
      lost(error);
    }
    await new Promise(done => setTimeout(done, AGAIN_MS));
  }
}

function lost(error) {
  say($("service-state"), "out of reach");
  $("service-state").className = "pill bad";
  trouble($("trouble"), error instanceof api.Refused ? error.message : "The service does not answer. This page goes on asking.");
}

function door(words) {
  show($("door"), true);
  show($("jobs-part"), false);
  say($("service-state"), "closed");
  trouble($("trouble"), api.token() ? words : "");
  $("door-token").focus();
}

$("door-form").addEventListener("submit", event => {
  event.preventDefault();
  api.keep($("door-token").value);
  $("door-token").value = "";
  enter();
});

function enter() {
  trouble($("trouble"), "");
  if (!api.token()) return door("");
  show($("door"), false);
  show($("jobs-part"), true);
  return listen();
}

$("job-close").addEventListener("click", () => choose(""));
document.addEventListener("redraw", draw);
document.addEventListener("visibilitychange", () => {
  draw();
  charts.draw();
});
addEventListener("hashchange", () => {
  const had = location.hash.includes("token=");
  if (had && api.token()) enter();
  choose(new URLSearchParams(location.hash.slice(1)).get("job") ?? "");
});

api.token();
chosen = new URLSearchParams(location.hash.slice(1)).get("job") ?? "";
charts.chosen = chosen;
enter();
