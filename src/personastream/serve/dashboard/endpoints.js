// Endpoints, with their ceilings, which can be changed while requests flow.

import * as api from "./api.js";
import {$, el, keyed, say, show, trouble} from "./dom.js";
import {called, duration, kind, whole} from "./words.js";

const CEILINGS = {in_flight_max: "in flight", requests_per_minute: "requests / min", tokens_per_minute: "tokens / min"};

export function showEndpoints(endpoints) {
  show($("no-endpoints"), !endpoints.length);
  keyed($("endpoints"), endpoints, each => each.id, line);
}

function line(endpoint) {
  const id = endpoint.id;
  const state = el("span", {class: "pill"}), about = el("p", {class: "soft"}), full = el("i", {class: "delivered"});
  const inputs = Object.entries(CEILINGS).map(([key, words]) =>
    ({key, input: el("input", {type: "number", min: "0", step: "any", name: key, "aria-label": words}), words}));
  const said = el("p", {class: "trouble", role: "alert", hidden: true});
  const form = el("form", {class: "row", onsubmit: event => {
    event.preventDefault();
    change(id, inputs, said, details);
  }}, ...inputs.map(({input, words}) => el("label", {}, words, input)), el("button", {type: "submit", class: "strong"}, "Change"));
  const details = el("details", {ontoggle: () => details.open && offer()}, el("summary", {}, "change its ceilings (0: none)"), form, said);
  const element = el("li", {class: "endpoint", "data-endpoint": id},
    el("div", {class: "head"}, el("span", {class: "name"}, `${endpoint.label} `), state), about, el("div", {class: "bar", "aria-hidden": "true"}, full), details);
  let now = endpoint;

  function offer() {
    for (const {key, input} of inputs) input.value = now[key];
  }

  function update(told) {
    now = told;
    say(state, called(told));
    state.className = `pill ${told.paused_s ? "held" : kind(told.state)}`;
    full.style.width = `${Math.min(100, (100 * told.in_flight) / Math.max(told.limit, 1))}%`;
    say(about, [
      !told.label.includes(told.model) && told.model, `${whole(told.in_flight)} of ${whole(told.limit)} in flight`, told.in_flight_max ? `at most ${whole(told.in_flight_max)}` : "",
      told.requests_per_minute ? `${whole(told.requests_per_minute)} requests / min` : "no request limit",
      told.tokens_per_minute ? `${whole(told.tokens_per_minute)} tokens / min` : "no token limit",
      `${whole(told.answered)} answered`, told.throttled && `${whole(told.throttled)} turned away`, told.failed && `${whole(told.failed)} failed`,
      told.paused_s && `rests for ${duration(told.paused_s)}`, (told.paused_s || told.state !== "closed") && told.why, told.jobs.length && `for ${told.jobs.join(", ")}`,
    ].filter(Boolean).join(" · "));
  }
  return {element, update};
}

async function change(id, inputs, said, details) {
  const told = Object.fromEntries(inputs.filter(({input}) => input.value !== "").map(({key, input}) => [key, Number(input.value)]));
  try {
    await api.send("PATCH", `v1/endpoints/${encodeURIComponent(id)}`, told);
    trouble(said, "");
    details.open = false;
  } catch (error) {
    trouble(said, error.message);
  }
}
