// An end-user without a browser: walks the sandbox bank's plain forms with fetch, as far as cookies and redirects go.

/**
 * Signs in at the bank and agrees: to share the first `count` accounts (all, if not said), or to pay from the first that can.
 * Resolves to the link they end at.
 */
export async function agree(bank, { user = "family", count = Infinity } = {}) {
  const visitor = new Visitor();
  const visit = await visitor.signIn(bank, user);
  const named = (name) => [...visit.html.matchAll(new RegExp(`name="${name}" value="([^"]+)"`, "g"))].map(([, value]) => [name, value]);
  const chosen = [...named("accounts").slice(0, count), ...named("account").slice(0, 1)];
  return visitor.decide(visit.url, [...chosen, ["decision", "approve"]]);
}

/** Signs in at the bank and refuses; resolves to the link they end at. */
export async function decline(bank, { user = "family" } = {}) {
  const visitor = new Visitor();
  const visit = await visitor.signIn(bank, user);
  return visitor.decide(visit.url, [["decision", "refuse"]]);
}

class Visitor {
  #cookies = new Map();

  async signIn(bank, username) {
    const page = await this.#follow(bank);
    const visit = await this.#follow(`${page.url}/sign-in`, new URLSearchParams({ username, password: "sandbox" }));
    return { url: page.url, html: visit.html };
  }

  async decide(visit, fields) {
    const end = await this.#follow(`${visit}/decision`, new URLSearchParams(fields));
    if (!end.left) throw new Error(`the bank did not let go: ${end.status} at ${end.url}`);
    return end.url;
  }

  /** Follows redirects on loopback until there is a page, or a link of the tenant's. */
  async #follow(start, form) {
    let [url, body] = [start, form];
    for (let hop = 0; hop < 10; hop += 1) {
      const headers = { cookie: [...this.#cookies].map((pair) => pair.join("=")).join("; ") };
      const response = await fetch(url, { method: body ? "POST" : "GET", body, headers, redirect: "manual" });
      for (const line of response.headers.getSetCookie()) this.#cookies.set(...line.split(";")[0].split("="));
      const location = response.headers.get("location");
      const html = await response.text();
      if (!location) return { url, html, status: response.status };
      [url, body] = [new URL(location, url).href, undefined];
      if (/[?&](temp_token|session_id)=/.test(location)) return { url: location, left: true };
    }
    throw new Error(`too many redirects from ${start}`);
  }
}
