// Figures in words.

const WHOLE = new Intl.NumberFormat("en", {maximumFractionDigits: 0});
const MONEY = new Intl.NumberFormat("en", {minimumFractionDigits: 2, maximumFractionDigits: 2});
const SHORT = new Intl.NumberFormat("en", {notation: "compact", maximumFractionDigits: 1});

export const whole = value => WHOLE.format(value);
export const short = value => (Math.abs(value) < 1 ? String(Number(value.toPrecision(2))) : SHORT.format(value));
export const rate = value => (value >= 100 ? WHOLE.format(value) : value >= 10 ? value.toFixed(1) : value.toFixed(2));
export const money = value => (value > 0 && value < 0.01 ? value.toPrecision(2) : MONEY.format(value));
export const bytes = value => {
  const names = ["B", "kB", "MB", "GB", "TB", "PB"];
  let step = 0;
  for (; value >= 1000 && step < names.length - 1; step++) value /= 1000;
  return `${step && value < 10 ? value.toFixed(1) : Math.round(value)} ${names[step]}`;
};

export function duration(seconds) {
  if (seconds === null || seconds === undefined || !(seconds < 1e9)) return "–";
  const all = Math.floor(seconds), two = value => String(value).padStart(2, "0");
  if (all < 60) return `${all} s`;
  if (all < 3600) return `${Math.floor(all / 60)} m ${two(all % 60)} s`;
  if (all < 86400) return `${Math.floor(all / 3600)} h ${two(Math.floor((all % 3600) / 60))} m`;
  return `${Math.floor(all / 86400)} d ${two(Math.floor((all % 86400) / 3600))} h`;
}

export function latency(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds < 10 ? seconds.toFixed(2) : seconds.toFixed(1)} s`;
}

export function moment(told) {
  const at = new Date(told);
  return told && !isNaN(at) ? at.toLocaleString([], {dateStyle: "medium", timeStyle: "medium"}) : "–";
}

export const sum = counts => Object.values(counts).reduce((all, each) => all + each, 0);

export const settled = part => part.delivered + sum(part.dropped) + sum(part.dead);

export const ENDED = new Set(["done", "failed", "cancelled"]);

const KINDS = {
  running: "busy", starting: "busy", stopping: "busy", following: "good", done: "good", finished: "good",
  failed: "bad", paused: "held", waiting: "held", stopped: "held", open: "bad", out: "bad", "half-open": "held", closed: "good",
};
export const kind = state => KINDS[state] ?? "";

const CALLED = {closed: "open for requests", open: "resting", "half-open": "trying again"};

// The state of an endpoint: that of its circuit breaker, which lets requests through while it is closed.
export const called = endpoint => (endpoint.state === "closed" && endpoint.paused_s ? "resting" : CALLED[endpoint.state] ?? endpoint.state);

// Characters that cannot be seen, or that turn the order of others round, as dots.
export const visible = text => String(text).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, "·");
