// Schemes that no redirect link may have. The server refuses them when a link is registered, by the same lists
// (`app/src/domain/schemes.rs`; a test compares them); here they are told before anything is sent.

/** Registered with IANA for something else, or handlers of devices and browsers. */
const REFUSED = [
  "aaa", "aaas", "about", "acap", "acct", "acd", "acr", "adiumxtra", "adt", "afp", "afs", "aim", "amss", "android", "android-app",
  "android-resource", "app-prefs", "app-settings", "appdata", "apt", "ar", "ark", "at", "attachment", "aw", "barion", "bb", "beshare",
  "bitcoin", "bitcoincash", "blob", "bolo", "brave", "browserext", "cabal", "calculator", "callto", "cap", "cast", "casts", "chrome", "cid",
  "cifs", "cmd", "coap", "coap+tcp", "coap+ws", "coaps", "coaps+tcp", "coaps+ws", "com-eventbrite-attendee", "content", "content-type",
  "crid", "cstr", "cvs", "dab", "dat", "data", "dav", "devtools", "dhttp", "diaspora", "dict", "did", "dis", "disk", "disks",
  "dlna-playcontainer", "dlna-playsingle", "dns", "dntp", "doi", "dpp", "drm", "drop", "dtmi", "dtn", "dvb", "dvx", "dweb", "ed2k", "edge",
  "eid", "elsi", "embedded", "ens", "ethereum", "example", "facetime", "facetime-audio", "facetime-prompt", "fax", "feed", "feedready",
  "feeds", "fido", "file", "filesystem", "finger", "firefox", "first-run-pen-experience", "fish", "fm", "ftp", "ftps", "fuchsia-pkg", "geo",
  "gg", "git", "gitoid", "gizmoproject", "go", "googlechrome", "googlechromes", "gopher", "graph", "grd", "gtalk", "h323", "ham", "hcap",
  "hcp", "hxxp", "hxxps", "hydrazone", "hyper", "iax", "icap", "icon", "im", "imap", "info", "intent", "intents", "iotdisco", "ipfs", "ipn",
  "ipns", "ipp", "ipps", "irc", "irc6", "ircs", "iris", "iris.beep", "iris.lwz", "iris.xpc", "iris.xpcs", "isostore", "jabber", "jar",
  "javascript", "jms", "jnlp", "jnlps", "jscript", "keyparc", "lastfm", "lbry", "ldap", "ldaps", "leaptofrogans", "lid", "livescript",
  "local", "lorawan", "lpa", "lvlt", "macappstore", "macappstores", "machineprovisioningprogressreporter", "magnet", "mailbox",
  "mailserver", "mailto", "maps", "market", "matrix", "message", "mhtml", "mid", "mk", "mms", "mmsto", "mocha", "modem", "mongodb", "moz",
  "msnim", "msrp", "msrps", "mss", "mt", "mtqp", "mumble", "mupdate", "mvn", "mvrp", "mvrps", "news", "nfs", "ni", "nih", "nntp", "notes",
  "num", "ocf", "oid", "onenote", "onenote-cmd", "opaquelocktoken", "openid", "openpgp4fpr", "opera", "otpauth", "p1", "pack", "palm",
  "paparazzi", "payment", "payto", "pcast", "pkcs11", "platform", "pop", "powershell", "prefs", "pres", "prospero", "proxy", "psyc", "pttp",
  "pwid", "qb", "query", "quic-transport", "rdp", "redis", "rediss", "reload", "res", "resource", "rlogin", "rmi", "rsync", "rtmfp", "rtmp",
  "rtsp", "rtsps", "rtspu", "sarif", "search", "search-ms", "secondlife", "secret-token", "service", "session", "sftp", "sgn", "shc",
  "shell", "shelter", "shortcuts", "shttp", "sieve", "simpleledger", "simplex", "sip", "sips", "skype", "smb", "smp", "sms", "smsto",
  "smtp", "snews", "snmp", "soap.beep", "soap.beeps", "soldat", "spiffe", "spotify", "ssb", "ssh", "starknet", "steam", "stun", "stuns",
  "submit", "svn", "swh", "swid", "swidpath", "tag", "taler", "teamspeak", "tel", "teliaeid", "telnet", "telprompt", "tftp", "things",
  "thismessage", "thzp", "tip", "tn3270", "tn5250", "tool", "turn", "turns", "tv", "udp", "unreal", "upn", "upt", "urn", "ut2004",
  "uuid-in-package", "v-event", "vbs", "vbscript", "vemmi", "ventrilo", "ves", "videotex", "view-cache", "view-source", "vivaldi", "vnc",
  "voicemail", "vsls", "w3", "wais", "wasm", "wasm-js", "wcr", "web+ap", "web3", "webcal", "wifi", "workflow", "wpid", "ws", "wss", "wtai",
  "wyciwyg", "xcon", "xcon-userid", "xfire", "xftp", "xmlrpc.beep", "xmlrpc.beeps", "xmpp", "xrcp", "xri", "ymsgr", "z39.50", "z39.50r",
  "z39.50s",
];

/** Whole families, by how their names begin. */
const REFUSED_FAMILIES = ["chrome-", "itms", "microsoft-", "microsoft.", "moz-", "ms-", "safari-", "x-apple"];

/** Returns true if links of a scheme, in lower case and without its colon, cannot take people back to an app. */
export function isRefused(scheme) {
  return REFUSED.includes(scheme) || REFUSED_FAMILIES.some((family) => scheme.startsWith(family));
}
