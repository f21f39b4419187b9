// The server's paths. A token is kept as long as the tab is.

import { say } from "/page/words.js";

const TOKEN = "defrost-token";
const RETRIES = 20;

/** An answer that isn't the one hoped for. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export function useToken(token) {
  sessionStorage.setItem(TOKEN, token);
}

/** Asks; waits and asks again as long as the server is busy. */
async function ask(path, options = {}) {
  const token = sessionStorage.getItem(TOKEN);
  const headers = { ...options.headers, ...(token && { Authorization: `Bearer ${token}` }) };
  for (let attempt = 0; ; attempt += 1) {
    let response;
    try {
      response = await fetch(path, { ...options, headers });
    } catch {
      throw new Refused(0, say("lost"));
    }
    if (response.status === 503 && attempt < RETRIES) {
      const seconds = Number(response.headers.get("Retry-After")) || 1;
      await new Promise((resume) => setTimeout(resume, 1000 * seconds * (0.5 + Math.random())));
      continue;
    }
    if (response.ok) return response;
    const { error } = await response.json().catch(() => ({}));
    throw new Refused(response.status, error ?? response.statusText);
  }
}

const json = async (path, options) => (await ask(path, options)).json();
const picture = (file) => ({ method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" } });
const query = (values) => new URLSearchParams(values).toString();

export const model = () => json("/model");
export const marks = () => json("/relabel");
export const predict = async (file, name) => (await json(`/predict?${query({ top_k: 5, name })}`, picture(file))).predictions[0];
export const explain = async (file, name) => (await ask(`/explain?${query({ class: name })}`, picture(file))).blob();
export const mark = (file, name, right) => json(`/relabel?${query({ class: right, name })}`, picture(file));
export const unmark = (content) => json(`/relabel/${content}`, { method: "DELETE" });
