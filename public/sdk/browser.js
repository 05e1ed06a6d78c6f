// The half of the SDK that may run in a browser or app: it opens sessions, takes steps, uploads and reads the catalog.
// It has no place for a client_secret, an access_token or a credentials_id: those belong to your server (`server.js`).
import { Api, TesseraError, catalogCalls, only, parse, pkce, random, required, sessionCalls, sleep } from "./core.js";

export { TesseraError, pkce };

/** Names that the end-user's return adds to the link's own query. */
const RETURNED = ["temp_token", "nonce", "session_id", "state", "error", "error_code"];
const FLOW = "tessera.session.";

/** A tenant's app: the keys that everybody may see, and what they can do. */
export class TesseraBrowser {
  constructor(options) {
    const whose = "TesseraBrowser";
    only(options, ["url", "client_id", "client_app_key", "timeout", "retries"], whose);
    const keys = { client_id: required(options, "client_id", whose), client_app_key: required(options, "client_app_key", whose) };
    if (/^tsr_[a-z]+_cs_/.test(keys.client_app_key)) {
      throw new TypeError("This is a client_secret. It must never be in a browser: use the client_app_key, and rotate the secret if it was ever shipped.");
    }
    const api = new Api(options);
    this.sessions = sessionCalls(api, keys);
    this.catalog = catalogCalls(api);
    Object.freeze(this);
  }
}

/**
 * One session from its first nonce to its `temp_token`. It carries the nonces, repeats what got lost on the way without
 * doing it twice, and remembers itself while the end-user is at the bank.
 */
export class SessionFlow {
  #client;
  #saved;
  /** The submission that has no answer yet: trying it again is the same submission. */
  #attempt = null;

  constructor(client, saved) {
    this.#client = client;
    this.#saved = { ...saved };
  }

  static async open(client, { pkce: own = false, ...fields }, options) {
    const state = fields.state ?? random(16);
    const pair = own ? await pkce() : {};
    const challenge = own ? { code_challenge: pair.code_challenge } : {};
    const opened = await client.sessions.create({ ...fields, ...challenge, state }, options);
    const { session_id, status, nonce, next_step, expires_at } = opened;
    return new SessionFlow(client, { skill: fields.skill, state, code_verifier: pair.code_verifier, session_id, status, nonce, next_step, expires_at });
  }

  /**
   * Takes up a session when the end-user is back on your link; null if this page is no return. What the return added
   * to the address is gone from it before this resolves. A return that comes again after the flow ended is `done`.
   */
  static async resume(client, options = {}) {
    const { url = location.href, storage = sessionStorage, signal } = options;
    const link = new URL(url);
    // The server's own are the last of their name.
    const [temp_token, nonce, session_id, state, error, error_code] = RETURNED.map((name) => link.searchParams.getAll(name).at(-1));
    const over = !error && error_code === "already_completed";
    if (!session_id || !(temp_token || nonce || error || over || storage.getItem(FLOW + session_id))) return null;
    for (const name of RETURNED) link.searchParams.delete(name);
    if (options.url === undefined) history.replaceState(history.state, "", link);
    const saved = read(storage.getItem(FLOW + session_id));
    // Nothing comes with it, and nothing is taken: in another tab, say, than the one that began.
    if (saved === null && over) return { flow: null, kind: "done" };
    // Somebody else's link, made to end their session in your user's account.
    if (saved === null || saved.state !== state) {
      const message = "This return belongs to no session that was begun in this tab.";
      throw new TesseraError({ type: "invalid_return", code: "unknown_return", message });
    }
    const flow = new SessionFlow(client, saved);
    if (over || saved.done || temp_token) flow.#forget(storage);
    if (over || saved.done) return { flow, kind: "done" };
    if (temp_token) return { flow, kind: "last", temp_token };
    if (nonce) Object.assign(flow.#saved, { nonce, next_step: undefined });
    // A link may come again: it is to find its flow.
    storage.setItem(FLOW + session_id, JSON.stringify(flow));
    if (error) return { flow, kind: error === "access_denied" ? "refused" : "failed", error, error_code };
    return { flow, ...(await flow.refresh({ signal })) };
  }

  /** Keeps nothing but that it is over: a deep link fires twice, a browser restores its tabs. */
  #forget(storage) {
    const { session_id, skill, state, expires_at } = this.#saved;
    const over = { session_id, skill, state, expires_at, status: "SESSION_COMPLETED", done: true };
    storage.setItem(FLOW + session_id, JSON.stringify(over));
  }

  get session_id() {
    return this.#saved.session_id;
  }

  get state() {
    return this.#saved.state;
  }

  get status() {
    return this.#saved.status;
  }

  get next_step() {
    return this.#saved.next_step ?? null;
  }

  get expires_at() {
    return this.#saved.expires_at;
  }

  get code_verifier() {
    return this.#saved.code_verifier ?? null;
  }

  /** Submits a step. A refusal changes nothing: mend the data and submit again. */
  async submit(step, data, options) {
    const { session_id, skill, nonce } = this.#saved;
    if (!nonce) throw new TypeError("It is not the end-user's turn: refresh() tells what comes next.");
    const what = JSON.stringify([nonce, step, data]);
    if (this.#attempt?.what !== what) this.#attempt = { what, idempotencyKey: random(16) };
    const { idempotencyKey } = this.#attempt;
    const answer = await this.#client.sessions.submit(session_id, { nonce, skill, step, data }, { ...options, idempotencyKey });
    this.#attempt = null;
    // Uploads to this step, and asking about it, are proved by the nonce that submitted it.
    return this.#told(answer, { used: nonce, step_id: answer.step_id, nonce: undefined, next_step: undefined });
  }

  async upload({ kind, file, name }, options) {
    const { step_id, used } = this.#saved;
    if (!step_id) throw new TypeError("Uploads belong to a step: submit it first.");
    const upload = await this.#client.sessions.upload(step_id, { nonce: used, kind, file, name }, options);
    this.#saved.status = upload.status;
    return upload;
  }

  /**
   * Asks what comes next. After the end-user was sent away only your server may know: `server`, or `done`.
   */
  async refresh(options) {
    const { session_id, used, nonce } = this.#saved;
    const standing = await this.#client.sessions.get(session_id, { nonce: nonce ?? used }, options);
    const told = standing.nonce || standing.temp_token || standing.step_id || standing.data;
    if (!told) {
      const { status, expires_at } = standing;
      Object.assign(this.#saved, { status, expires_at });
      return { ...standing, kind: untold(status) };
    }
    // Another nonce than the one we hold: ours was used by a submission whose answer got lost.
    const lost = nonce && standing.nonce !== nonce ? { used: nonce } : {};
    return this.#told(standing, { ...lost, step_id: standing.step_id, nonce: undefined, next_step: undefined });
  }

  /** Goes on with what your server asked for: the `nonce` and `next_step` of its `sessions.get`. */
  proceed({ nonce, next_step }) {
    required({ nonce }, "nonce", "proceed()");
    Object.assign(this.#saved, { nonce, next_step });
  }

  async wait({ signal } = {}) {
    let answer = await this.refresh({ signal });
    while (answer.kind === "pending") {
      const poll = Number(answer.data?.poll_after) || 5;
      await sleep(Math.min(Math.max(poll, 1), 60) * 1000, signal);
      answer = await this.refresh({ signal });
    }
    return answer;
  }

  async cancel(options) {
    const { session_id, used, nonce } = this.#saved;
    const { status } = await this.#client.sessions.cancel(session_id, { nonce: nonce ?? used }, options);
    Object.assign(this.#saved, { status, nonce: undefined, next_step: undefined });
  }

  /** Sends the end-user where a redirect answer says; `resume` takes up from there on the page they come back to. */
  leave(answer, { storage = sessionStorage, go = (url) => location.assign(url) } = {}) {
    if (!answer?.data?.url) throw new TypeError(`leave() takes a redirect, not ${answer?.kind}`);
    const { protocol } = new URL(answer.data.url);
    if (!["https:", "http:"].includes(protocol)) throw new TypeError(`A bank's address begins with https:, not ${protocol}`);
    storage.setItem(FLOW + this.session_id, JSON.stringify(this));
    go(answer.data.url);
  }

  /** For `new SessionFlow(client, saved)` later on. Holds nonces. */
  toJSON() {
    return { ...this.#saved };
  }

  #told(answer, before) {
    const { nonce, next_step, status, expires_at = this.#saved.expires_at } = answer;
    Object.assign(this.#saved, before, { status, expires_at }, nonce && { nonce, next_step });
    return { ...answer, kind: kindOf(answer) };
  }
}

/** A flow as it was saved, or null. */
function read(text) {
  const saved = parse(text);
  return typeof saved === "object" ? saved : null;
}

/** Kind of an answer that is a status alone: the rest is your server's to ask for. */
function untold(status) {
  if (status === "SESSION_PENDING") return "pending";
  if (status === "SESSION_COMPLETED") return "done";
  return status === "SESSION_IN_PROGRESS" ? "server" : "ended";
}

/** Kind of an answer: `last`, `next`, `redirect`, `pending`, or nothing any more: `ended`. */
function kindOf({ temp_token, nonce, data, status }) {
  if (temp_token) return "last";
  if (nonce) return "next";
  if (status === "SESSION_PENDING") return "pending";
  return status === "SESSION_IN_PROGRESS" && data?.url ? "redirect" : "ended";
}
