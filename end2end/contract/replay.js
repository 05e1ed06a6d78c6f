// Plays every documented example against a running server and says of each whether the answer has the documented shape.
import { readFile } from "node:fs/promises";
import { argv, stdin } from "node:process";
import { text } from "node:stream/consumers";

import { agree } from "../lib/walk.js";
import { compare } from "./shapes.js";

/** Chapters in the order they build on each other. */
export const chapters = ["catalogs", "sessions", "tokens", "accounts", "balances", "transactions", "marketplace", "payments", "errors", "consents", "limits"];
export const redirectLink = "myapp://return";

/** Sets of keys, and shapes, that examples refer to by name. */
const { keys: keySets, shapes } = await examples("shared");

/** The examples of a chapter. */
export async function examples(chapter) {
  return JSON.parse(await readFile(new URL(`examples/${chapter}.json`, import.meta.url), "utf8"));
}

/** One tenant's run through the chapters; what examples keep is there for those that follow. */
export class Replay {
  #url;
  #kept;

  constructor(url, keys) {
    this.#url = url;
    this.#kept = { ...keys, psu_redirect_link: redirectLink };
  }

  /** Plays one example; resolves to `{ differences, more }`. */
  async play(example) {
    if (example.bank) return this.#visit(example);
    const { method = "POST", path, headers = {}, keys, body, raw, file, most = 1 } = this.#filled(example);
    const fields = { ...this.#filled(keySets[keys]), ...body };
    const json = { headers: { "content-type": "application/json", ...headers }, body: raw ?? JSON.stringify(fields) };
    let response, said;
    for (let sent = 0; sent < most && response?.status !== example.status; sent += 1) {
      response = await fetch(this.#url + path, { method, ...(file ? { headers, body: form(fields, file) } : json) });
      said = await response.text();
    }
    const answer = /json/.test(response.headers.get("content-type")) ? JSON.parse(said) : said;
    const result = compare(answer, example.answer, shapes);
    if (response.status !== example.status) result.differences.unshift(`status: expected ${example.status}, got ${response.status} ${said.slice(0, 200)}`);
    for (const name of example.has ?? []) if (!response.headers.has(name)) result.differences.push(`header ${name}: expected, and absent`);
    this.#keep(example.keep, answer);
    return result;
  }

  /** The end-user's part: the way through the bank, and what their return link carries. */
  async #visit({ bank, returns, keep }) {
    const link = new URL(await agree(this.#filled(bank.url), { user: bank.user }));
    const [begin, found] = [link.href.split("?")[0], Object.fromEntries(link.searchParams)];
    const result = compare(found, returns, shapes, "return link");
    if (begin !== redirectLink) result.differences.push(`return link: expected ${redirectLink}, got ${begin}`);
    this.#keep(keep, found);
    return result;
  }

  #keep(wanted = {}, answer) {
    for (const [name, path] of Object.entries(wanted)) {
      const value = path.split(".").reduce((part, key) => part?.[key], answer);
      if (value !== undefined) this.#kept[name] = value;
    }
  }

  /** Names in braces replaced by what is known under them. */
  #filled(part) {
    if (typeof part === "string") {
      return part.replace(/\{(\w+)\}/g, (_, name) => {
        if (!(name in this.#kept)) throw new Error(`no example before this one kept ${name}`);
        return this.#kept[name];
      });
    }
    if (Array.isArray(part)) return part.map((item) => this.#filled(item));
    if (typeof part === "object" && part !== null) return Object.fromEntries(Object.entries(part).map(([name, value]) => [name, this.#filled(value)]));
    return part;
  }
}

/** The fields, then the file: base64 of its content. */
function form(fields, file) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("file", new Blob([Buffer.from(file, "base64")]), "file");
  return form;
}

/** One line an example; resolves to how many differ. */
async function run(url, keys) {
  const replay = new Replay(url, keys);
  let failed = 0;
  for (const chapter of chapters) {
    for (const example of await examples(chapter)) {
      const { differences, more } = await replay.play(example);
      failed += differences.length > 0;
      console.log([`${differences.length ? "DIFFERS" : "same   "} ${example.name}`, ...differences, ...(more.length ? [`+ ${more.join(", ")}`] : [])].join("; "));
    }
  }
  return failed;
}

if (import.meta.url === new URL(argv[1], "file:").href) {
  if (!argv[2]) throw new Error("Give the server's URL, and the keys as JSON on standard input.");
  process.exitCode = (await run(argv[2].replace(/\/$/, ""), JSON.parse(await text(stdin)))) ? 1 : 0;
}
