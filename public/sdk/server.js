// The half of the SDK for servers: it exchanges tokens, reads data, makes payments and signs requests, with the tenant's
// client_secret. It refuses to be loaded in a browser.
import { Api, Pages, TesseraError, base64url, catalogCalls, keyed, only, path, pkce, random, required, sessionCalls, written } from "./core.js";

export { TesseraError, pkce };

if (typeof document !== "undefined" || typeof importScripts === "function") {
  throw new Error("The server half of the Tessera SDK was loaded in a browser, where everybody can read the client_secret it needs. Load browser.js there, and call server.js from your server.");
}

/** A tenant's server: what its `client_secret` can do. */
export class TesseraServer {
  #api;
  #keys;

  constructor(options) {
    const whose = "TesseraServer";
    only(options, ["url", "client_id", "client_secret", "signing", "timeout", "retries"], whose);
    this.#keys = { client_id: required(options, "client_id", whose), client_secret: required(options, "client_secret", whose) };
    const { host } = new URL(required(options, "url", whose));
    const dress = options.signing && signer({ audience: host, ...options.signing });
    this.#api = new Api(options, dress ? "/v1s" : "/v1", dress);
    this.sessions = sessionCalls(this.#api, this.#keys);
    this.catalog = catalogCalls(this.#api, headers(this.#keys));
    Object.freeze(this);
  }

  /** Exchanges a `temp_token`, once, for the pair that opens the end-user's data. Store it with your user. */
  exchange({ temp_token, code_verifier, tenant_user_id }, options) {
    return this.#api.post("/tokens", { ...this.#keys, temp_token, code_verifier, tenant_user_id }, keyed(options));
  }

  /** The tenant's consents, without their tokens. */
  consents(query, options) {
    return listing(this.#api, "/consents", this.#keys, query, options);
  }

  /** The consent that a stored pair opens. `tenant_user_id` is needed if the session was opened with one. */
  consent({ credentials_id, access_token, tenant_user_id }) {
    const whose = "consent()";
    const pair = { credentials_id: required({ credentials_id }, "credentials_id", whose), access_token: required({ access_token }, "access_token", whose) };
    return new Consent(this.#api, { ...this.#keys, ...pair, ...(tenant_user_id && { tenant_user_id }) });
  }
}

/** One end-user's consent: every call on it carries the pair. */
export class Consent {
  #api;
  #keys;

  constructor(api, keys) {
    this.#api = api;
    this.#keys = keys;
    this.credentials_id = keys.credentials_id;
    Object.freeze(this);
  }

  accounts(query, options) {
    return this.#list("/accounts", query, options);
  }

  balances(query, options) {
    return this.#list("/balances", query, options);
  }

  /** Newest first. All that the query says must hold; amounts are best written as strings. */
  transactions(query, options) {
    return this.#list("/transactions", query, options);
  }

  /** Changes since a cursor, up to `count` rows; everything there is without one. Store each `next_cursor` with what came with it. */
  sync({ cursor, count } = {}, options) {
    return this.#read("/transactions/sync", { cursor, count }, options);
  }

  /** All changes since a cursor, answer by answer. */
  async *changes({ cursor, count } = {}, options) {
    for (let more = true; more; ) {
      const answer = await this.sync({ cursor, count }, options);
      yield answer;
      ({ next_cursor: cursor, has_more: more } = answer);
    }
  }

  /** The consent's own record. */
  info(options) {
    return this.#read("/consents/get", {}, options);
  }

  /** Ends the consent; deleting it again changes nothing. */
  delete({ pcd_data_retention } = {}, options) {
    return this.#read("/consents/delete", { pcd_data_retention }, options);
  }

  /** Opens a session that renews the consent: take the end-user through it, and exchange its token for a new `access_token`. */
  extend({ code_challenge, state } = {}, options) {
    return this.#api.post("/consents/extend", { ...this.#keys, code_challenge, state }, keyed(options));
  }

  /** Products that the end-user took out, for a pair of a marketplace skill. */
  products(query, options) {
    return this.#list("/products", query, options);
  }

  /** The payment the end-user authorised, for a pair of a payment skill. */
  payment(options) {
    return this.#read("/payments/get", {}, options);
  }

  /** Calls the payment off, as long as the bank allows; doing so again changes nothing. */
  cancelPayment(options) {
    return this.#api.post("/payments/cancel", this.#keys, keyed(options));
  }

  #read(path, fields, options) {
    return this.#api.post(path, { ...this.#keys, ...fields }, { ...options, repeatable: true });
  }

  #list(path, query, options) {
    return listing(this.#api, path, this.#keys, query, options);
  }
}

function listing(api, path, keys, query, options) {
  return new Pages((after) => {
    const request = { method: "GET", path: path + written({ ...query, after }), headers: headers(keys) };
    return api.call(request, { ...options, repeatable: true });
  });
}

/** The headers in which calls without a body carry keys; an id that no header can carry is refused here. */
function headers(keys) {
  const names = { client_id: "X-Client-Id", client_secret: "X-Client-Secret", credentials_id: "X-Credentials-Id", access_token: "X-Access-Token", tenant_user_id: "X-Tenant-User-Id" };
  const named = Object.entries(keys).map(([name, value]) => {
    if (!/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(value)) throw new TypeError(`${name} has characters that a header cannot carry: use visible ASCII`);
    return [names[name], value];
  });
  return Object.fromEntries(named);
}

/** By type or curve of the key; the first is the one that is taken if none is asked for. */
const ALGORITHMS = { rsa: ["RS256", "PS256"], "rsa-pss": ["PS256"], prime256v1: ["ES256"], ed25519: ["EdDSA"] };

/**
 * The headers of signed requests (`/v1s`): a JWS made anew for each attempt, over the very bytes that are sent.
 * `key` is a private key as PEM, JWK or KeyObject. Where the key must not leave its vault, give `alg` and
 * `sign`, which resolves to the signature's bytes.
 */
export function signer({ issuer, key, kid = key?.kid, alg, sign, audience, lifetime = 60, ...rest }) {
  only(rest, [], "signing");
  required({ issuer }, "issuer", "signing");
  if (!key === !sign) throw new TypeError("signing needs either key, or sign with alg");
  if (!(lifetime > 0 && lifetime <= 3600)) throw new TypeError("a signature lives from 1 to 3600 seconds");
  const ready = sign ? Promise.resolve({ alg: required({ alg }, "alg", "signing"), sign }) : opened(key, alg);
  ready.catch(() => {}); // Whoever signs is told.
  return async ({ method, url, body = "" }) => {
    const { alg, sign } = await ready;
    const { createHash } = await import("node:crypto");
    if (typeof body !== "string") throw new TypeError("Only JSON bodies can be signed.");
    const iat = Math.floor(Date.now() / 1000);
    const digest = createHash("sha256").update(body).digest("base64");
    const who = { iss: issuer, sub: issuer, email: issuer, aud: audience };
    const claims = { iat, exp: iat + lifetime, ...who, digest, htm: method, htu: url, jti: random(16) };
    const signed = `${encoded({ alg, typ: "JWT", kid })}.${encoded(claims)}`;
    const signature = await sign(new TextEncoder().encode(signed));
    return { Authorization: `Bearer ${signed}.${base64url(new Uint8Array(signature))}` };
  };
}

function encoded(part) {
  return base64url(new TextEncoder().encode(JSON.stringify(part)));
}

/** A private key, ready to sign with the algorithm that it is for. */
async function opened(key, asked) {
  const { KeyObject, constants, createPrivateKey, sign } = await import("node:crypto");
  const jwk = typeof key === "object" && !(key instanceof KeyObject);
  const own = key instanceof KeyObject ? key : createPrivateKey(jwk ? { key, format: "jwk" } : key);
  const able = ALGORITHMS[own.asymmetricKeyDetails?.namedCurve ?? own.asymmetricKeyType] ?? [];
  const alg = asked ?? (jwk ? key.alg : undefined) ?? able[0];
  if (!able.includes(alg)) {
    throw new TypeError(`This ${own.asymmetricKeyType} key cannot sign ${alg}. There are RS256 and PS256 (RSA), ES256 (P-256) and EdDSA (Ed25519).`);
  }
  const how = {
    RS256: { key: own },
    PS256: { key: own, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
    ES256: { key: own, dsaEncoding: "ieee-p1363" },
    EdDSA: { key: own },
  };
  return { alg, sign: (bytes) => sign(alg === "EdDSA" ? null : "sha256", bytes, how[alg]) };
}
