// Runs a Postman collection the way Postman does, as far as ours goes: variables, raw bodies, and test scripts with
// `pm.test`, `pm.expect(n).to.be.below(m)`, `pm.response` and `pm.collectionVariables`.
import { runInNewContext } from "node:vm";

export class Collection {
  constructor(json) {
    this.json = json;
    this.variables = new Map(json.variable.map(({ key, value }) => [key, value]));
    this.requests = new Map(json.item.flatMap((folder) => folder.item).map((item) => [item.name, item.request]));
    this.ran = new Set();
  }

  /**
   * Sends the request of this name and runs the collection's script on its answer. What a person would type over is given
   * beside it: top-level fields of a JSON body, values of the query, parts of a form.
   */
  async run(name, { body: typed, query: asked = {}, form = {} } = {}) {
    const { method, url, header, body } = this.requests.get(name) ?? missing(name);
    const sent = header.filter((one) => !one.disabled).map(({ key, value }) => [key, this.filled(value)]);
    const shown = url.query.filter(({ key, disabled }) => key in asked || !disabled);
    const query = shown.map(({ key, value }) => [key, asked[key] ?? this.filled(value)]);
    const target = this.filled(url.raw) + (query.length ? `?${new URLSearchParams(query)}` : "");
    const response = await fetch(target, { method, headers: sent, body: this.#body(body, typed, form), redirect: "manual" });
    const text = await response.text();
    this.script(name, response.status, text);
    this.ran.add(name);
    const json = response.headers.get("content-type")?.startsWith("application/json");
    return { status: response.status, location: response.headers.get("location"), body: json ? JSON.parse(text) : text };
  }

  #body(body, typed, form) {
    if (body?.mode !== "formdata") return body && this.filled(typed ? JSON.stringify({ ...JSON.parse(body.raw), ...typed }) : body.raw);
    const parts = new FormData();
    for (const { key, type, value } of body.formdata) {
      if (type === "file" && !form[key]) throw new Error(`no file is chosen for ${key}`);
      parts.append(key, form[key] ?? this.filled(value));
    }
    return parts;
  }

  /** A text with its variables filled in; one that is unknown or empty is an error, where Postman would send it as it is. */
  filled(text) {
    return text.replace(/{{(\w+)}}/g, (_, name) => {
      const value = this.variables.get(name);
      if (!value) throw new Error(`the variable ${name} is ${value === "" ? "empty" : "unknown"} in ${text}`);
      return value;
    });
  }

  script(name, code, text) {
    const pm = {
      response: { code, json: () => JSON.parse(text) },
      collectionVariables: { set: (key, value) => this.variables.set(key, value) },
      expect: (value) => ({
        to: {
          be: {
            below(limit) {
              if (!(value < limit)) throw new Error(`${value} is not below ${limit}`);
            },
          },
        },
      }),
      test(what, check) {
        try {
          check();
        } catch (error) {
          throw new Error(`${name}: "${what}" failed: ${error.message}. It answered ${text}`);
        }
      },
    };
    for (const { script } of this.json.event) runInNewContext(script.exec.join("\n"), { pm });
  }
}

function missing(name) {
  throw new Error(`the collection has no request "${name}"`);
}
