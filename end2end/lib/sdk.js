// The SDK as tests meet it: the very files that the portal serves.
export { SessionFlow, TesseraBrowser } from "../../public/sdk/browser.js";
export { TesseraError, TesseraServer, pkce, signer } from "../../public/sdk/server.js";

/** What a browser's `sessionStorage` does, for tests without a browser. */
export class Memory {
  #items = new Map();
  getItem = (name) => this.#items.get(name) ?? null;
  setItem = (name, value) => void this.#items.set(name, value);
  removeItem = (name) => void this.#items.delete(name);
}
