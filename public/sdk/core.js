// Shared by both halves of the SDK: errors, calls that are repeated only where that is safe, sessions and the catalog.
// Things that travel have the names they have in the API's documents; options of the SDK itself are in camelCase.

import { isRefused } from "./schemes.js";

/** The longest wait before a call is repeated; who asks for more gets the error at once. */
const LONGEST_WAIT = 60_000;
/** The longest time that the server works on a request with an Idempotency-Key: its lease on a step. */
const LEASE = 60_000;

/** An error in place of a success, from the API or on the way to it. */
export class TesseraError extends Error {
  constructor({ message, id = null, type, http = 0, code, hint = null, docs = null, fields = [], retryAfter = null }, options) {
    super(message, options);
    this.name = "TesseraError";
    Object.assign(this, { id, type, http, code, hint, docs, fields, retryAfter });
  }
}

/** Refuses options it does not know: a misspelt one is noticed, and a secret has no place to be left in. */
export function only(options, known, whose) {
  if (typeof options !== "object" || options === null) throw new TypeError(`${whose} takes an object`);
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw new TypeError(`${whose} takes no ${name}; it takes ${known.join(", ")}`);
  }
}

/** An option that must be a text. */
export function required(options, name, whose) {
  const value = options[name];
  if (typeof value !== "string" || value === "") throw new TypeError(`${whose} needs ${name}`);
  return value;
}

/** A path whose parts are encoded; a part that would change the path's meaning is refused. */
export function path(strings, ...parts) {
  const encoded = parts.map((part) => {
    if (typeof part !== "string" || ["", ".", ".."].includes(part)) throw new TypeError(`"${part}" cannot be an id`);
    return encodeURIComponent(part);
  });
  return String.raw({ raw: strings }, ...encoded);
}

/** Random bytes as base64url. */
export function random(bytes) {
  return base64url(crypto.getRandomValues(new Uint8Array(bytes)));
}

/** Bytes as base64url (RFC 4648, section 5) without padding. */
export function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** A fresh pair of PKCE (RFC 7636, S256): the challenge opens a session, the verifier goes with the exchange. */
export async function pkce() {
  if (!crypto.subtle) throw new Error("PKCE needs WebCrypto, which browsers offer to https: and loopback pages alone");
  const code_verifier = random(32);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(code_verifier));
  return { code_verifier, code_challenge: base64url(new Uint8Array(digest)) };
}

/** Options of a call that has an effect: under a key it may be repeated, and takes effect once. */
export function keyed(options) {
  return { ...options, idempotencyKey: options?.idempotencyKey ?? random(16) };
}

/** A list that is read page by page: iterate over its items or over `pages()`, take `first()` or `all()`. */
export class Pages {
  #read;

  constructor(read) {
    this.#read = read;
  }

  first() {
    return this.#read();
  }

  async *pages() {
    let page = await this.#read();
    yield page;
    while (page.has_more) {
      page = await this.#read(page.next_cursor);
      yield page;
    }
  }

  async *[Symbol.asyncIterator]() {
    for await (const page of this.pages()) yield* page.items;
  }

  async all() {
    const items = [];
    for await (const page of this.pages()) items.push(...page.items);
    return items;
  }
}

/** The way to one server. `dress` adds headers to each attempt, as a signature needs them. */
export class Api {
  #base;
  #timeout;
  #retries;
  #dress;

  constructor({ url, timeout = 30_000, retries = 3 }, version = "/v1", dress = () => ({})) {
    this.#base = trusted(required({ url }, "url", "The client")) + version;
    // NaN retries would never end.
    for (const [name, value] of Object.entries({ timeout, retries })) {
      if (!Number.isInteger(value) || value < 0 || value >= 2 ** 31) throw new TypeError(`${name} cannot be ${value}`);
    }
    this.#timeout = timeout;
    this.#retries = retries;
    this.#dress = dress;
  }

  /** `POST` of a JSON body. Give `repeatable` where a second time changes nothing, else a key by `keyed`. */
  post(path, fields, options) {
    const headers = { "Content-Type": "application/json" };
    return this.call({ method: "POST", path, headers, body: JSON.stringify(fields) }, options);
  }

  /** `GET`, which may always be repeated. */
  get(path, query, options) {
    return this.call({ method: "GET", path: path + written(query) }, { ...options, repeatable: true });
  }

  /** One call, again while that may help and cannot harm. */
  async call({ path, headers, ...rest }, { idempotencyKey, repeatable = false, signal, timeout = this.#timeout, onProgress } = {}) {
    if (!/^[!-~]{1,255}$/.test(idempotencyKey ?? "-")) throw new TypeError("idempotencyKey must be 1 to 255 visible ASCII characters");
    const request = { ...rest, url: this.#base + path, timeout, signal, onProgress };
    request.headers = { Accept: "application/json", ...headers, ...(idempotencyKey && { "Idempotency-Key": idempotencyKey }) };
    const began = Date.now();
    for (let failures = 0; ; ) {
      try {
        return await this.#attempt(request);
      } catch (error) {
        const running = error.code === "idempotency_in_flight" && Date.now() - began < LEASE;
        const wait = repeatable || idempotencyKey ? pause(error, failures) : null;
        if (wait === null || (!running && failures >= this.#retries)) throw error;
        if (!running) failures += 1;
        await sleep(wait, signal);
      }
    }
  }

  async #attempt(request) {
    const headers = { ...request.headers, ...(await this.#dress(request)) };
    const send = request.onProgress && typeof XMLHttpRequest === "function" ? sendXhr : sendFetch;
    const answer = await send({ ...request, headers });
    const parsed = parse(answer.text);
    if (answer.status >= 200 && answer.status < 300 && parsed !== undefined) return parsed;
    throw refused(answer, parsed);
  }
}

/** Sessions with a tenant's keys: a browser shows its app key, a server its secret. */
export function sessionCalls(api, { client_id, ...key }) {
  const session = (session_id) => path`/sessions/${session_id}`;
  return Object.freeze({
    create: (fields, options) => api.post("/sessions", { ...fields, client_id, ...key }, { ...options, repeatable: true }),
    submit: (session_id, fields, options) => {
      leadsBack(fields.data?.psu_redirect_link);
      return api.post(`${session(session_id)}/steps`, { ...fields, client_id }, keyed(options));
    },
    get: (session_id, fields, options) => api.post(`${session(session_id)}/get`, { ...fields, client_id, ...key }, { ...options, repeatable: true }),
    cancel: (session_id, fields, options) => api.post(`${session(session_id)}/cancel`, { ...fields, client_id, ...key }, { ...options, repeatable: true }),
    upload: (step_id, { nonce, kind, file, name = file?.name ?? kind }, options) => {
      if (!(file instanceof Blob)) throw new TypeError("upload() needs file, a Blob");
      const body = new FormData();
      for (const [field, value] of Object.entries({ client_id, nonce, kind })) body.append(field, value);
      // Last: the server reads it as a stream, and must know beforehand whose it is.
      body.append("file", file, name);
      // A file that comes again is the upload it was.
      return api.call({ method: "POST", path: path`/steps/${step_id}/upload`, body }, { ...options, repeatable: true });
    },
  });
}

/** Refuses, before anything is sent, a link that could take nobody back to an app. Whether it is registered the server knows. */
function leadsBack(link) {
  const scheme = typeof link === "string" ? link.match(/^\s*([a-z][a-z0-9+.-]*):/i)?.[1].toLowerCase() : undefined;
  if (scheme !== undefined && isRefused(scheme)) {
    throw new TypeError(`psu_redirect_link cannot begin with ${scheme}: use https, or a scheme of your app's own, like com.example.app:/return`);
  }
}

/** The catalog: public for sandbox skills; `headers` with a tenant's keys say which skills it may use. */
export function catalogCalls(api, headers) {
  const get = (path, query, options) => api.call({ method: "GET", path: path + written(query), headers }, { ...options, repeatable: true });
  return Object.freeze({
    skills: (filter, options) => new Pages((after) => get("/catalog/skills", { ...filter, after }, options)),
    skill: (name, options) => get(path`/catalog/skills/${name}`, {}, options),
    servicers: (options) => get("/catalog/servicers", {}, options),
  });
}

/** A query string; what is not set is left out. */
export function written(query = {}) {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  const texts = pairs.map(([name, value]) => [name, value instanceof Date ? value.toISOString() : String(value)]);
  return texts.length ? `?${new URLSearchParams(texts)}` : "";
}

/** A server's address without slash or `/v1` at its end; keys travel encrypted, or do not leave this machine. */
function trusted(url) {
  const { protocol, hostname, href, username, search, hash } = new URL(url);
  const loopback = /^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
  if (protocol !== "https:" && !(protocol === "http:" && loopback)) throw new TypeError(`url must begin with https: (http: is for loopback), unlike ${url}`);
  if (username || search || hash) throw new TypeError("url is the server's address alone, without user, query or fragment");
  return href.replace(/\/+$/, "").replace(/\/v1s?$/, "");
}

async function sendFetch({ method, url, headers, body, signal, timeout, onProgress }) {
  const timer = AbortSignal.timeout(timeout);
  const either = signal ? AbortSignal.any([signal, timer]) : timer;
  // Nothing here moves; and cookies are no part of this API.
  const careful = { redirect: "error", credentials: "omit", cache: "no-store", referrerPolicy: "no-referrer" };
  try {
    const response = await fetch(url, { method, headers, body, signal: either, ...careful });
    const text = await response.text();
    onProgress?.(1);
    return { status: response.status, retryAfter: response.headers.get("Retry-After"), text };
  } catch (cause) {
    throw signal?.aborted ? signal.reason : unreachable(timer.aborted, cause);
  }
}

/** The only way browsers tell how far an upload is. */
function sendXhr({ method, url, headers, body, signal, timeout, onProgress }) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.timeout = timeout;
    request.upload.onprogress = ({ lengthComputable, loaded, total }) => lengthComputable && onProgress(loaded / total);
    request.onload = () => resolve({ status: request.status, retryAfter: request.getResponseHeader("Retry-After"), text: request.responseText });
    request.onerror = () => reject(unreachable(false));
    request.ontimeout = () => reject(unreachable(true));
    request.onabort = () => reject(signal?.reason ?? unreachable(false));
    request.onloadend = () => signal?.removeEventListener("abort", abort);
    signal?.addEventListener("abort", abort);
    request.send(body);
  });
}

function unreachable(late, cause) {
  const problem = late
    ? { code: "timeout", message: "The server did not answer in time." }
    : { code: "connection_failed", message: "The server could not be reached." };
  return new TesseraError({ ...problem, type: "network_error" }, cause && { cause });
}

function refused({ status, retryAfter }, body) {
  const problem = typeof body?.code === "string" ? body : { type: "invalid_answer", code: "invalid_answer", message: `The answer with status ${status} is none of the API's.` };
  return new TesseraError({ ...problem, http: status, retryAfter: seconds(retryAfter) });
}

export function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `Retry-After` in seconds: a number, or a date (RFC 9110, section 10.2.3). */
function seconds(text) {
  // Date.parse takes "1.5" for a day in 2001.
  if (!text || !/^(\d+$|[A-Z][a-z]{2})/.test(text)) return null;
  const seconds = /^\d+$/.test(text) ? Number(text) : Math.ceil((Date.parse(text) - Date.now()) / 1000);
  return Number.isFinite(seconds) ? Math.max(0, seconds) : null;
}

/** Milliseconds to wait before another try, or null if there should be none. */
function pause(error, failures) {
  const passes = error instanceof TesseraError && (error.type === "network_error" || [429, 502, 503, 504].includes(error.http) || error.code === "idempotency_in_flight");
  if (!passes) return null;
  // Spread out, so that callers who failed together do not come back together.
  const spread = Math.min(8_000, 250 * 2 ** failures) * (0.5 + Math.random() / 2);
  const wait = error.retryAfter === null ? spread : error.retryAfter * 1000 + Math.random() * 250;
  return wait <= LONGEST_WAIT ? wait : null;
}

/** Waits; ends early, with its reason, when the signal is aborted. */
export function sleep(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const abort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", abort, { once: true });
  });
}
