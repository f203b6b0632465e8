// The list of jobs, with what can be done to each.

import * as api from "./api.js";
import {$, el, keyed, say, show, sure, trouble} from "./dom.js";
import {ENDED, duration, kind, money, rate, settled, sum, whole} from "./words.js";

const ENDED_SHOWN = 12;
const FOR_PEOPLE = ["failed", "waiting"];

const GOING = new Set(["queued", "starting", "running", "waiting", "following"]);

// Which verbs a job takes in its state.
const VERBS = {
  pause: job => GOING.has(job.state),
  resume: job => ["paused", "stopped", "stopping", "waiting", "failed"].includes(job.state),
  stop: job => GOING.has(job.state) || job.state === "paused",
  cancel: job => !ENDED.has(job.state) || job.state === "failed",
};
const ASKED_FIRST = {cancel: name => `Cancel ${name} for good? What it has made stays; it is never continued.`};

let all = false;

// Carries out a verb; what comes of it shows with the next event.
export async function act(name, verb, told = {}) {
  try {
    if (ASKED_FIRST[verb] && !(await sure(ASKED_FIRST[verb](name)))) return;
    await api.send("POST", api.job(name, `/${verb}`), told);
    trouble($("trouble"), "");
  } catch (error) {
    trouble($("trouble"), `${name}: ${error.message}`);
  }
}

export function showJobs(jobs, chosen, choose) {
  const lastFirst = [...jobs].sort((one, other) => (one.ended < other.ended ? 1 : one.ended > other.ended ? -1 : 0));
  const forPeople = FOR_PEOPLE.flatMap(state => lastFirst.filter(job => job.state === state));
  const going = jobs.filter(job => !ENDED.has(job.state) && job.state !== "waiting");
  const ended = lastFirst.filter(job => ENDED.has(job.state) && job.state !== "failed");
  const shown = all ? ended : ended.slice(0, ENDED_SHOWN);
  keyed($("jobs"), [...forPeople, ...going, ...shown], job => job.name, job => line(job, choose));
  for (const element of $("jobs").children) element.classList.toggle("chosen", element.dataset.job === chosen);
  show($("no-jobs"), !jobs.length);
  show($("more-jobs"), ended.length > ENDED_SHOWN);
  say($("more-jobs"), all ? "Only the last ones that ended" : `All ${whole(ended.length)} that are done or cancelled`);
}

$("more-jobs").addEventListener("click", () => {
  all = !all;
  document.dispatchEvent(new Event("redraw"));
});

function line(job, choose) {
  const name = job.name;
  const state = el("span", {class: "pill"}), more = el("span", {class: "soft"});
  const why = el("p", {class: "why", hidden: true});
  const figures = el("div", {class: "figures"});
  const bar = Object.fromEntries(["delivered", "dropped", "dead"].map(end => [end, el("i", {class: end})]));
  const track = el("div", {class: "bar", role: "progressbar", "aria-label": `progress of ${name}`, "aria-valuemin": 0, "aria-valuemax": 100}, ...Object.values(bar));
  const buttons = Object.entries(VERBS).map(([verb, fits]) => ({
    fits, element: el("button", {type: "button", "data-verb": verb, "aria-label": `${verb} ${name}`, class: verb === "cancel" ? "danger" : null,
      onclick: async event => {
        event.currentTarget.disabled = true;
        const button = event.currentTarget;
        await act(name, verb);
        button.disabled = false;
      }}, verb),
  }));
  const head = el("div", {class: "head"}, el("button", {type: "button", class: "name", onclick: () => choose(name)}, name), state, more);
  const element = el("li", {class: "job", "data-job": name}, head, el("div", {class: "acts"}, ...buttons.map(each => each.element)), track, figures, why);

  function update(now) {
    say(state, now.state);
    state.className = `pill ${kind(now.state)}`;
    element.dataset.state = now.state;
    element.classList.toggle("held", now.state !== "failed");
    say(more, [now.stage && `stage ${now.stage}`, now.priority && `priority ${now.priority}`, now.weight !== 1 && `weight ${now.weight}`].filter(Boolean).join(" · "));
    for (const {fits, element: button} of buttons) show(button, fits(now));
    const rows = settled(now), expected = Math.max(now.rows_estimated, rows + now.uncommitted, 1);
    bar.delivered.style.width = `${(100 * now.delivered) / expected}%`;
    bar.dropped.style.width = `${(100 * sum(now.dropped)) / expected}%`;
    bar.dead.style.width = `${(100 * sum(now.dead)) / expected}%`;
    track.setAttribute("aria-valuenow", String(Math.floor((100 * rows) / expected)));
    tell(figures, now, rows);
    const stuck = now.state === "running" && (now.waiting || !now.in_flight) && !now.why;
    const fault = stuck && now.last_fault ? `last fault: ${now.last_fault}` : "";
    const words = [now.why, now.hint, now.alert && `near a cap: ${now.alert}`, fault].filter(Boolean).join(" · ");
    const again = now.next_try_s === null ? "" : ` · tries again in ${duration(now.next_try_s)}`;
    say(why, words + (words ? again : ""));
    show(why, words !== "");
  }
  return {element, update};
}

function tell(parent, job, rows) {
  const live = !ENDED.has(job.state), of = job.rows_estimated && job.state !== "done" ? ` of ≈ ${whole(job.rows_estimated)}` : "";
  const parts = [
    ["rows", `${whole(rows)}${of}`], ["delivered", whole(job.delivered)], ["dropped", whole(sum(job.dropped))],
    ["dead", whole(sum(job.dead))],
    ...(live ? [["rows / s", rate(job.rows_per_s)], ["in flight", whole(job.in_flight)]] : []),
    ...(live && job.eta_s !== null ? [["ETA", duration(job.eta_s)]] : []),
    ...(job.spend || job.spend_max ? [["spent", money(job.spend) + (job.spend_max ? ` of ${money(job.spend_max)}` : "")]] : []),
  ];
  keyed(parent, parts, part => part[0], ([name]) => {
    const value = el("b");
    const element = el("span", {"data-figure": name}, `${name} `, value);
    return {element, update: ([, words]) => {
      say(value, words);
      element.className = name === "dead" && words !== "0" ? "dead" : "";
    }};
  });
}
