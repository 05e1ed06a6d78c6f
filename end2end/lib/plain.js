// The bank's plain forms, walked by fetch alone: what a script or a browser without JavaScript does.

/** Takes a user through the consent at `url`; resolves to the link they end at, as a URL. */
export async function consentByForms(url, username, password = "sandbox") {
  const cookies = new Map();
  let page = await follow(cookies, url);
  page = await submit(cookies, page, [["username", username], ["password", password]]);
  const accounts = inputs(page.html, 'name="accounts"').map((input) => ["accounts", input.value]);
  const end = await submit(cookies, page, [...accounts, ["decision", "approve"]]);
  if (!end.left) throw new Error(`the bank did not let go at ${end.url}: ${end.html}`);
  return end.left;
}

function submit(cookies, page, fields) {
  if (page.left) throw new Error(`left for ${page.left} too early`);
  const action = /action="([^"]*)"/.exec(page.html)?.[1].replaceAll("&amp;", "&") ?? "";
  const hidden = inputs(page.html, 'type="hidden"').map((input) => [input.name, input.value]);
  return follow(cookies, new URL(action || page.url, page.url).href, new URLSearchParams([...hidden, ...fields]));
}

async function follow(cookies, url, form) {
  for (let hops = 0; hops < 10; hops += 1) {
    if (!url.startsWith("http://127.0.0.1:")) return { left: new URL(url) };
    const response = await fetch(url, {
      method: form ? "POST" : "GET",
      body: form,
      redirect: "manual",
      headers: {
        cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; "),
        ...(form && { origin: new URL(url).origin }),
      },
    });
    for (const line of response.headers.getSetCookie()) {
      const [name, ...value] = line.split(";")[0].split("=");
      cookies.set(name, value.join("="));
    }
    const location = response.headers.get("location");
    if (!location) return { url, html: await response.text() };
    url = new URL(location, url).href;
    form = undefined;
  }
  throw new Error(`too many redirects to ${url}`);
}

function inputs(html, mark) {
  const attribute = (input, name) => new RegExp(` ${name}="([^"]*)"`).exec(input)?.[1].replaceAll("&amp;", "&");
  return [...html.matchAll(/<input[^>]*>/g)]
    .map(([input]) => input)
    .filter((input) => input.includes(mark))
    .map((input) => ({ name: attribute(input, "name"), value: attribute(input, "value") }));
}
