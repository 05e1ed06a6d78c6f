// Settings that come from outside. The names of the first four are those of the `.env` that the portal offers.

/** Reads the environment; whatever is missing is told at once. */
export function settings(env) {
  const missing = ["TESSERA_URL", "TESSERA_CLIENT_ID", "TESSERA_CLIENT_APP_KEY", "TESSERA_CLIENT_SECRET", "APP_SECRET"].filter((name) => !env[name]);
  if (missing.length) throw new Error(`These settings are missing: ${missing.join(", ")}. README.md says where they come from.`);
  return {
    /** The part that browsers may know. */
    tessera: {
      url: env.TESSERA_URL,
      client_id: env.TESSERA_CLIENT_ID,
      client_app_key: env.TESSERA_CLIENT_APP_KEY,
      skill: env.TESSERA_SKILL ?? "xyz_ro_aisp_sbx_#1.0",
    },
    client_secret: env.TESSERA_CLIENT_SECRET,
    app_url: new URL(env.APP_URL ?? "http://127.0.0.1:4000").origin,
    store_file: env.APP_STORE ?? "data/store.sealed",
    /** Seals the file: who has the one without the other can read nothing. */
    store_secret: env.APP_SECRET,
  };
}
