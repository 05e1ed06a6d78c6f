// An end-user without a browser: walks the sandbox bank's plain forms with fetch, as far as cookies and redirects go.

/**
 * Signs in at the bank and agrees: to share the first `count` accounts (all, if not said), or to pay from the first that can.
 * Resolves to the link they end at, or to the first that `stop` matches: it is not followed.
 */
export async function agree(bank, { user = "family", count = Infinity, stop } = {}) {
  const visitor = new Visitor(stop);
  const page = await visitor.signIn(bank, user);
  const named = (name) => inputs(page.html).filter((input) => input.name === name).map(({ value }) => [name, value]);
  return visitor.leave(page, [...named("accounts").slice(0, count), ...named("account").slice(0, 1), ["decision", "approve"]]);
}

/** Signs in at the bank and refuses; resolves to the link they end at. */
export async function decline(bank, { user = "family" } = {}) {
  const visitor = new Visitor();
  return visitor.leave(await visitor.signIn(bank, user), [["decision", "refuse"]]);
}

class Visitor {
  #cookies = new Map();
  #stop;

  constructor(stop = /[?&](temp_token|session_id)=/) {
    this.#stop = stop;
  }

  async signIn(bank, username) {
    return this.#submit(await this.#follow(bank), [["username", username], ["password", "sandbox"]]);
  }

  /** Submits a decision; fails unless it leads out of the bank. */
  async leave(page, fields) {
    const end = await this.#submit(page, fields);
    if (!end.left) throw new Error(`the bank did not let go: ${end.status} at ${end.url}: ${end.html}`);
    return end.url;
  }

  /** The page's form, with what is hidden in it and these. */
  #submit({ url, html }, fields) {
    const action = /action="([^"]*)"/.exec(html)?.[1] ?? "";
    const hidden = inputs(html).filter(({ type }) => type === "hidden").map(({ name, value }) => [name, value]);
    return this.#follow(new URL(plain(action) || url, url).href, new URLSearchParams([...hidden, ...fields]));
  }

  /** Follows redirects until there is a page, or a link that says how the visit ended. */
  async #follow(start, form) {
    let [url, body] = [start, form];
    for (let hop = 0; hop < 10; hop += 1) {
      const cookie = [...this.#cookies].map((pair) => pair.join("=")).join("; ");
      const headers = { cookie, ...(body && { origin: new URL(url).origin }) };
      const response = await fetch(url, { method: body ? "POST" : "GET", body, headers, redirect: "manual" });
      for (const line of response.headers.getSetCookie()) this.#cookies.set(...line.split(";")[0].split("="));
      const location = response.headers.get("location");
      const html = await response.text();
      if (!location) return { url, html, status: response.status };
      if (this.#stop.test(location)) return { url: location, left: true };
      [url, body] = [new URL(location, url).href, undefined];
    }
    throw new Error(`too many redirects from ${start}`);
  }
}

/** Type, name and value of every `<input>`. */
function inputs(html) {
  const attribute = (input, name) => plain(new RegExp(` ${name}="([^"]*)"`).exec(input)?.[1] ?? "");
  return [...html.matchAll(/<input[^>]*>/g)].map(([input]) => ({ type: attribute(input, "type"), name: attribute(input, "name"), value: attribute(input, "value") }));
}

function plain(text) {
  return text.replaceAll("&amp;", "&");
}
