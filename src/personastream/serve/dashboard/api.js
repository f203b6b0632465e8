// The service's API, asked with the token that came in the address's fragment. It is kept in this tab alone.

const KEY = "personastream token";

export class Refused extends Error {
  constructor(status, told) {
    super([told.message, told.hint].filter(Boolean).join("\n"));
    this.status = status;
  }
}

// Takes the token out of the address, so that it is in no history and no picture of the screen.
export function token() {
  const told = new URLSearchParams(location.hash.slice(1));
  if (told.has("token")) {
    keep(told.get("token"));
    told.delete("token");
    history.replaceState(null, "", told.size ? `#${told}` : location.pathname);
  }
  return sessionStorage.getItem(KEY) ?? "";
}

export const keep = value => sessionStorage.setItem(KEY, value.trim());

export const job = (name, rest = "") => `v1/jobs/${encodeURIComponent(name)}${rest}`;

async function answered(path, options = {}) {
  const headers = {Authorization: `Bearer ${token()}`, ...options.headers};
  const response = await fetch(path, {...options, headers, cache: "no-store", credentials: "omit", redirect: "error"});
  if (response.ok) return response;
  let told = {message: `the service answers ${response.status}`};
  try {
    told = (await response.json()).error ?? told;
  } catch {}  // no JSON: the status says it
  throw new Refused(response.status, told);
}

export const get = async path => (await answered(path)).json();

export const text = async path => (await answered(path)).text();

export async function send(method, path, told = {}) {
  const headers = {"Content-Type": "application/json"};
  return (await answered(path, {method, headers, body: JSON.stringify(told)})).json();
}

// Each event of the stream, until it ends. Raises `Refused`, or a TypeError if nobody answers.
export async function* events(path, signal) {
  const reader = (await answered(path, {signal})).body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const {done, value} = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const data = part.split("\n").filter(line => line.startsWith("data:")).map(line => line.slice(5).trim());
      if (data.length) yield JSON.parse(data.join("\n"));
    }
  }
}
