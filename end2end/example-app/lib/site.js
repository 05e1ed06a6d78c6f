// The back end's door: files for the browser, five calls for them, and what keeps other sites out.
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";

import { TesseraError } from "../../../public/sdk/server.js";

const LARGEST_BODY = 16 * 1024;
const FILES = {
  "/": ["index.html", "text/html; charset=utf-8"],
  "/return": ["index.html", "text/html; charset=utf-8"],
  "/app.js": ["app.js", "text/javascript; charset=utf-8"],
  "/app.css": ["app.css", "text/css; charset=utf-8"],
};

/** A refusal: a status, and a word for the front end, which has the sentences. */
class Refused extends Error {
  constructor(status, word) {
    super(word);
    Object.assign(this, { status, word });
  }
}

/** The listener of the whole app. */
export function site({ app_url, tessera, wallet }) {
  const secure = app_url.startsWith("https:");
  const cookie_name = secure ? "__Host-example" : "example";
  const calls = {
    "GET /api/me": ({ user }) => ({ tessera, ...wallet.seen(user) }),
    "POST /api/connections": async ({ user, welcome }) => wallet.begin(user ?? (await welcome())),
    "POST /api/connections/finish": async ({ user, body }) => {
      if (!user || !(await wallet.finish(user, body))) throw new Refused(409, "not_yours");
      return {};
    },
    "POST /api/refresh": async ({ user }) => {
      if (user) await wallet.refresh(user);
      return {};
    },
    "POST /api/disconnect": async ({ user, body }) => {
      if (!user || !(await wallet.disconnect(user, body.asset))) throw new Refused(404, "not_yours");
      return {};
    },
  };

  async function answer(request, response) {
    const [pathname] = request.url.split("?");
    const call = calls[`${request.method} ${pathname}`];
    if (!call) return file(request.method, pathname, response, tessera);
    if (request.method === "POST") own(request, app_url);
    const body = request.method === "POST" ? await json(request) : {};
    const welcome = async () => {
      const { user, cookie } = await wallet.welcome();
      response.setHeader("Set-Cookie", `${cookie_name}=${cookie}; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000${secure ? "; Secure" : ""}`);
      return user;
    };
    const user = wallet.user(cookieOf(request, cookie_name));
    const said = await call({ user, body, welcome });
    respond(response, 200, "application/json", JSON.stringify(said));
  }

  return (request, response) => {
    answer(request, response).catch((error) => {
      const { status, word } = explained(error);
      respond(response, status, "application/json", JSON.stringify({ error: word }));
    });
  };
}

/** A call must come from a page of ours: another site's page can send our cookie along, but not claim our origin. */
function own({ headers }, app_url) {
  const site = headers["sec-fetch-site"];
  if (headers.origin !== app_url || (site && site !== "same-origin")) throw new Refused(403, "not_yours");
  if (!headers["content-type"]?.startsWith("application/json")) throw new Refused(415, "not_json");
}

async function json(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > LARGEST_BODY) throw new Refused(413, "too_large");
    chunks.push(chunk);
  }
  try {
    const body = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    if (typeof body === "object" && body !== null) return body;
  } catch {
    // Said below.
  }
  throw new Refused(400, "not_json");
}

function cookieOf({ headers }, name) {
  const pairs = (headers.cookie ?? "").split(";").map((pair) => pair.trim().split("="));
  return pairs.find(([own]) => own === name)?.[1];
}

/** Tessera's codes in the app's own words. Its messages are for developers: into the log with them. */
function explained(error) {
  if (error instanceof Refused) return error;
  const { id, http, code } = error;
  console.error(error instanceof TesseraError ? `Tessera: ${http} ${code}, id ${id}` : error);
  if (!(error instanceof TesseraError)) return { status: 500, word: "broken" };
  if (["temp_token_expired", "temp_token_used", "invalid_temp_token", "invalid_code_verifier"].includes(code)) return { status: 409, word: "again" };
  if (["inactive_credentials", "expired_credentials"].includes(code)) return { status: 409, word: "ended" };
  return { status: 502, word: "later" };
}

async function file(method, pathname, response, tessera) {
  const [name, type] = FILES[pathname] ?? [];
  if (!name || method !== "GET") return respond(response, name ? 405 : 404, "text/plain", "There is nothing here.");
  const text = await readFile(new URL(`../web/${name}`, import.meta.url), "utf8");
  const nonce = randomBytes(16).toString("base64url");
  const from = new URL(tessera.url).origin;
  response.setHeader(
    "Content-Security-Policy",
    `default-src 'none'; script-src 'self' 'nonce-${nonce}' ${from}/sdk/; style-src 'self'; img-src data:; connect-src 'self' ${from}; ` +
      "form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
  );
  respond(response, 200, type, text.replaceAll("%NONCE%", nonce).replaceAll("%SDK%", `${from}/sdk/browser.js`));
}

function respond(response, status, type, body) {
  // The return link carries a token: it is not to be kept anywhere, nor told to anybody.
  response.writeHead(status, { "Content-Type": type, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff" });
  response.end(body);
}
