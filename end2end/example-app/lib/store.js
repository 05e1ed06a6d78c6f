// The app's tables in one file, as the documentation's data model draws them:
//
//   users 1-n financial_assets 1-n transactions
//
// An asset is an account that a user shared; `credentials_id` and `access_token` are its pointer to Tessera. Accounts
// shared in one consent have the same pair. The file is sealed, because access tokens open people's accounts.
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";

const [SALT, IV, TAG] = [16, 12, 16];

export class Store {
  #file;
  #secret;
  #saving = Promise.resolve();
  /** Rows by their id. */
  tables = { users: {}, visits: {}, financial_assets: {}, transactions: {} };

  constructor(file, secret) {
    this.#file = file;
    this.#secret = secret;
  }

  /** Opens a file, or begins with empty tables if there is none. */
  static async open(file, secret) {
    const store = new Store(file, secret);
    const sealed = await readFile(file).catch((error) => {
      if (error.code !== "ENOENT") throw error;
    });
    if (sealed) store.tables = JSON.parse(unseal(sealed, secret));
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    return store;
  }

  /** The rows of a table that a condition holds for. */
  rows(table, holds) {
    return Object.values(this.tables[table]).filter(holds);
  }

  /** Resolves when everything said so far is on disk: whole, or not at all. */
  save() {
    this.#saving = this.#saving.catch(() => {}).then(() => this.#write());
    return this.#saving;
  }

  async #write() {
    const beside = `${this.#file}.new`;
    const file = await open(beside, "w", 0o600);
    try {
      await file.writeFile(seal(JSON.stringify(this.tables), this.#secret));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, this.#file);
  }
}

/** AES-256-GCM under a key that is new for each writing. */
function seal(text, secret) {
  const [salt, iv] = [randomBytes(SALT), randomBytes(IV)];
  const cipher = createCipheriv("aes-256-gcm", derived(secret, salt), iv);
  const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
  return Buffer.concat([salt, iv, cipher.getAuthTag(), sealed]);
}

function unseal(bytes, secret) {
  const [salt, iv, tag, sealed] = [bytes.subarray(0, SALT), bytes.subarray(SALT, SALT + IV), bytes.subarray(SALT + IV, SALT + IV + TAG), bytes.subarray(SALT + IV + TAG)];
  const decipher = createDecipheriv("aes-256-gcm", derived(secret, salt), iv).setAuthTag(tag);
  try {
    return Buffer.concat([decipher.update(sealed), decipher.final()]).toString("utf8");
  } catch {
    throw new Error("The store cannot be opened: it was sealed with another APP_SECRET, or altered.");
  }
}

function derived(secret, salt) {
  return Buffer.from(hkdfSync("sha256", secret, salt, "example-app store", 32));
}
