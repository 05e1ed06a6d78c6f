// The example app's back end: settings from the environment, the store, one listener.
import { createServer } from "node:http";

import { TesseraServer } from "../../public/sdk/server.js"; // In a project of your own: a copy of that folder.
import { Wallet } from "./lib/wallet.js";
import { site } from "./lib/site.js";
import { Store } from "./lib/store.js";
import { settings } from "./lib/settings.js";

const { app_url, store_file, store_secret, tessera, client_secret } = settings(process.env);
const { url, client_id } = tessera;
const server = new TesseraServer({ url, client_id, client_secret });
const store = await Store.open(store_file, store_secret);
const listener = createServer(site({ app_url, tessera, wallet: new Wallet(server, store) }));
const { hostname, port } = new URL(app_url);
listener.listen(Number(port || 80), hostname, () => console.log(`The example app is at ${app_url}`));

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => {
    listener.close();
    listener.closeIdleConnections();
  });
}
