//! The settings themselves.

section! {
    /// The HTTP listener: addresses, proxies, timeouts and bounds.
    Http "http" {
        /// Address and port to listen on.
        listen: String = "127.0.0.1:3000".into();
        /// The public URL of the server, without a trailing slash, used by people and apps. Empty: made from `listen`.
        /// The Host header is never believed. Plain `http:` is accepted for loopback only.
        public_url: String = String::new();
        /// Folder with the built portal files (`cargo xtask build` makes it). Empty: `site` beside the binary.
        site_dir: String = String::new();
        /// Proxies in front of the server, as networks or addresses (`["10.0.0.0/8"]`): what they write into `Forwarded` or
        /// `X-Forwarded-For` is believed. From everybody else these headers change nothing.
        trusted_proxies: Vec<String> = Vec::new();
        /// Connections accepted at once; further ones wait.
        max_connections: u32 = 4096;
        /// Connections accepted at once from one source: an IPv4 address, or the /64 of an IPv6 one. Further ones are answered
        /// 503 and closed. Trusted proxies have as many as they like, and of those behind them as many requests are served
        /// at once; further ones are answered 429.
        connections_per_source: u32 = 64;
        /// Seconds a client may take to send the head of a request.
        header_timeout_seconds: u64 = 10;
        /// Seconds that a body may pause for. In the long run it must come with 16 KiB a second, too.
        body_timeout_seconds: u64 = 15;
        /// Seconds that a client may read nothing of its answer. In the long run it must read 4 KiB a second, too.
        answer_timeout_seconds: u64 = 20;
        /// MiB of memory that requests may hold, all together, whose bodies are on their way and whose senders have not
        /// proved their keys yet: 32 KiB each, and what has come of the body. Further ones are answered 503.
        unproved_bodies_mib: u32 = 32;
        /// Seconds between answering "not ready" at `/readyz` and refusing new connections, for load balancers to
        /// notice.
        drain_seconds: u64 = 0;
        /// Seconds that requests in flight get to finish when the server stops.
        shutdown_seconds: u64 = 10;
    }
}

section! {
    /// Storage: database, data folder and key file.
    Storage "storage" {
        /// Folder for the SQLite database, `secrets.key` and mail files.
        data_dir: String = "data".into();
        /// `sqlite:PATH` or `postgres://user@host/database`. Empty: `tessera.db` in the data folder.
        database: String = String::new();
        /// The key file, readable by its owner alone (`docs/SECRETS.md`). Empty: `secrets.key` in the data folder. It is made only together with an empty database.
        secrets_file: String = String::new();
    }
}

section! {
    /// The portal and its contacts.
    Portal "portal" {
        /// The brand shown to users.
        brand: String = "Tessera".into();
        /// Contact for reports of security flaws, a `mailto:` or `https:` URI, shown in `/.well-known/security.txt`.
        /// Empty: that file does not exist.
        security_contact: String = String::new();
        /// Contact for support: an e-mail address, or an `https:` URL. Empty: pages, mails and errors do not mention
        /// support.
        support: String = String::new();
    }
}

section! {
    /// Outgoing mail.
    Mail "mail" {
        /// `smtps://user:password@host:465` or `smtp://host:587`. Empty: mails are written to `mail` in the data folder.
        smtp_url: String = String::new();
        /// The sender.
        from: String = "Tessera <no-reply@localhost>".into();
    }
}

section! {
    /// The built-in sandbox: its skills and the simulated bank behind them.
    Sandbox "sandbox" {
        /// `true`: the sandbox skills and the simulated bank are available.
        enabled: bool = true;
        /// Address and port the simulated bank listens on. Port 0: any free port.
        bank_listen: String = "127.0.0.1:0".into();
        /// The URL end-users reach the bank at. Empty: made from the address it listens on.
        bank_public_url: String = String::new();
        /// The simulated bank's own database, which it shares with nobody: `sqlite:PATH`, or `postgres://user@host/database`, in
        /// which it has the schema `sandbox_bank`. Empty: a file beside the product's (`bank.db` beside `tessera.db`), or the
        /// schema in the product's database.
        bank_database: String = String::new();
        /// Seconds a `temp_token` of a sandbox tenant lives; `limits.temp_token_seconds` is production's.
        temp_token_seconds: i64 = 600;
        /// Seconds after which the simulated bank decides a verification by itself, if nobody did on the portal's
        /// Verifications page.
        verification_seconds: i64 = 20;
    }
}

section! {
    /// Visibility of skills.
    Skills "skills" {
        /// Names of skills that are not published, or no more (`["xyz_card_sbx_#1.0"]`): for administrators, and for tenants
        /// that have them on their whitelist. Everybody else is answered 403 `forbidden`.
        unpublished: Vec<String> = Vec::new();
    }
}

section! {
    /// Files that end-users send along with steps.
    Uploads "uploads" {
        /// Address of clamd, the daemon of the virus scanner `ClamAV`: `tcp:127.0.0.1:3310` or `unix:/run/clamav/clamd.ctl`. Every
        /// file is scanned before it is used, and refused (503) while clamd does not answer. Empty: files are not scanned.
        clamd: String = String::new();
    }
}

section! {
    /// Signed requests (`/v1s`).
    Signing "signing" {
        /// `true`: the URL of a set of keys may lead to private addresses and be plain `http:`. For development only:
        /// it lets customers make this server request what they cannot reach themselves.
        key_sets_from_private_addresses: bool = false;
        /// Ports that the URL of a set of keys may name besides 443.
        key_set_ports: Vec<u16> = Vec::new();
    }
}

section! {
    /// Rate limits and other bounds for callers.
    Limits "limits" {
        /// Browser-safe calls (sessions, steps) per minute, per tenant and source address. What nobody proved keys for is
        /// measured by it, too, per source address: as many calls, twice as many pages and returns from banks, and a fifth
        /// as many forms of people who are not signed in.
        browser_calls_per_minute: u32 = 600;
        /// Server calls (token, data) per minute, per tenant.
        server_calls_per_minute: u32 = 60_000;
        /// Seconds a `temp_token` of a production tenant lives.
        temp_token_seconds: i64 = 60;
        /// Calls worked on at once in this process; further ones are answered 503. Readings have four fifths of them, so that
        /// sessions and tokens always find a place; two fifths may wait for banks.
        calls_at_once: u32 = 256;
        /// Failed sign-ins in a row before a delay begins, per account and per source.
        sign_in_failures: u32 = 5;
    }
}

section! {
    /// Data cached from banks: refreshing and retention.
    Data "data" {
        /// Minutes after which a read asks the bank for fresher data.
        refresh_minutes: i64 = 360;
        /// Minutes after which data that nobody reads is fetched again. 0: never.
        background_refresh_minutes: i64 = 720;
        /// Seconds that a read waits for the first data of a consent, before it asks the caller to come back.
        first_fetch_wait_seconds: u64 = 20;
        /// Seconds that a read waits for fresher data, before it answers with the cached data.
        refresh_wait_seconds: u64 = 5;
        /// Calls in 24 hours that a bank takes for one consent while the end-user is not there (PSD2: 4).
        bank_calls_per_day: i64 = 4;
        /// MiB that the request log keeps of one servicer, 30 days at most; the oldest calls go first.
        request_log_mib: u32 = 1024;
        /// Days before the end of a consent at which the owners of its tenant are reminded by mail. Empty: never.
        reminder_days: Vec<i64> = vec![30, 14, 7, 1];
        /// Days that the audit log is kept, and that a consent existed once its data is erased (PSD2 records: five years).
        audit_days: i64 = 1826;
    }
}

section! {
    /// Traces and metrics for the tools of operators.
    Telemetry "telemetry" {
        /// URL of an OpenTelemetry collector that takes traces by OTLP over HTTP (`http://127.0.0.1:4318`), without a path.
        /// Empty: nothing is exported.
        otlp_endpoint: String = String::new();
        /// Address and port at which Prometheus finds `GET /metrics` (`127.0.0.1:9464`), for your own network alone. Empty:
        /// nothing is counted.
        metrics_listen: String = String::new();
    }
}

section! {
    /// The server's own log.
    Log "log" {
        /// A filter like `info` or `server=debug,sqlx=warn`.
        filter: String = "info".into();
        /// `text` for people, `json` for machines.
        format: String = "text".into();
    }
}
