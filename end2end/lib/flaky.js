// A bad line to a server: passes requests on, and cuts the connection before an answer as often as a test wants.
import { once } from "node:events";
import { createServer } from "node:http";

/**
 * `decide({ url, number })` says of each request, numbered from 1 for each path, what becomes of it: `pass`, `cut` (the server gets it,
 * its answer is lost), `cut-before` (the server never gets it), `hang` (nothing comes), or an answer `{ status, headers, body }` of its own.
 */
export async function flaky(target, decide) {
  const seen = [];
  const counts = new Map();
  const way = createServer(async (request, response) => {
    const { method, url, headers } = request;
    const chunks = await request.toArray();
    const entry = { method, url, headers, body: Buffer.concat(chunks).toString("utf8") };
    seen.push(entry);
    counts.set(url, (counts.get(url) ?? 0) + 1);
    const fate = decide({ url, number: counts.get(url) });
    if (fate === "hang") return;
    if (fate === "cut-before") return void request.socket.destroy();
    if (typeof fate === "object") return void response.writeHead(fate.status, fate.headers).end(fate.body);
    const { host, connection, ...rest } = headers;
    const answer = await fetch(target + url, { method, headers: rest, body: chunks.length ? entry.body : undefined });
    entry.replayed = answer.headers.get("idempotent-replayed");
    const body = await answer.text();
    if (fate === "cut") return void request.socket.destroy();
    response.writeHead(answer.status, { "content-type": "application/json" }).end(body);
  });
  way.listen(0, "127.0.0.1");
  await once(way, "listening");
  const close = async () => {
    way.close();
    way.closeAllConnections();
    await once(way, "close");
  };
  return { url: `http://127.0.0.1:${way.address().port}`, seen, close };
}
