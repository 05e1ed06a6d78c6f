// Tenants for tests, made by the operator's command.
import { once } from "node:events";
import { createServer } from "node:http";

import { skill } from "./api.js";

/** A sandbox tenant with these skills, links and origins; resolves to its keys. */
export async function newTenant(server, { skills = [skill], links = [], origins = [] } = {}) {
  const { servicer_id } = await server.operate("servicer", "create", "--name", "Example Ltd", "--kind", "both");
  const many = (option, values) => values.flatMap((value) => [option, value]);
  return server.operate(
    ...["tenant", "create", "--servicer", servicer_id, "--name", "Example app", "--environment", "sandbox"],
    ...[...many("--skill", skills), ...many("--redirect-link", links), ...many("--origin", origins)],
  );
}

/** A port that nobody listens on now. */
export async function freePort() {
  const holder = createServer().listen(0, "127.0.0.1");
  await once(holder, "listening");
  const { port } = holder.address();
  holder.close();
  await once(holder, "close");
  return port;
}
