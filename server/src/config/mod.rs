//! Settings: a struct per section, working defaults, unknown keys refused. The doc comment of each field is its
//! documentation in `config.example.toml`, which is generated from here. Only this room reads the environment.

#[macro_use]
mod section;
mod database;
mod scanner;
mod sections;
mod telemetry;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format as _, Serialized, Toml};
use ipnet::IpNet;

pub use database::bank_database_beside;
use database::{check_database, file_of};
pub use scanner::Scanner;
pub use sections::{
    Data, Http, Limits, Log, Mail, Portal, Sandbox, Signing, Skills, Storage, Telemetry, Uploads,
};

/// Every setting of one server.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub http: Http,
    pub storage: Storage,
    pub portal: Portal,
    pub mail: Mail,
    pub sandbox: Sandbox,
    pub skills: Skills,
    pub uploads: Uploads,
    pub signing: Signing,
    pub limits: Limits,
    pub data: Data,
    pub telemetry: Telemetry,
    pub log: Log,
}

/// A setting that cannot be used: which, and why.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("setting {key}: {why}")]
    Setting { key: String, why: String },
    #[error(
        "cannot read the settings file {0}: there is no such file. Name another with --config, or leave it out; \
         `server config-example` prints one"
    )]
    Missing(PathBuf),
    #[error("settings: {0}")]
    Unreadable(Box<figment::Error>),
}

/// Settings of the command line, which override file and environment; `None` leaves a setting as it is.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    pub config: Option<PathBuf>,
    pub data_dir: Option<String>,
    pub database: Option<String>,
    pub listen: Option<String>,
    pub public_url: Option<String>,
    pub site_dir: Option<String>,
}

impl Config {
    /// Defaults, then the file, then `TESSERA_<SECTION>__<KEY>` variables, then the command line.
    pub fn load(overrides: &Overrides) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(path) = &overrides.config {
            if !path.is_file() {
                return Err(ConfigError::Missing(path.clone()));
            }
            figment = figment.merge(Toml::file_exact(path));
        }
        // Variables that belong to tests and tools, and the short name of the key file, are no settings of a section.
        let variables = Env::prefixed("TESSERA_")
            .filter(|key| key.as_str().contains("__"))
            .split("__");
        let mut config: Self = figment.merge(variables).extract().map_err(named)?;
        if let Ok(path) = std::env::var("TESSERA_SECRETS_FILE") {
            config.storage.secrets_file = path;
        }
        let given = |slot: &mut String, value: &Option<String>| {
            if let Some(value) = value {
                slot.clone_from(value);
            }
        };
        given(&mut config.storage.data_dir, &overrides.data_dir);
        given(&mut config.storage.database, &overrides.database);
        given(&mut config.http.listen, &overrides.listen);
        given(&mut config.http.public_url, &overrides.public_url);
        given(&mut config.http.site_dir, &overrides.site_dir);
        config.check()?;
        Ok(config)
    }

    /// The address to listen on.
    pub fn listen(&self) -> Result<SocketAddr, ConfigError> {
        self.http.listen.parse().map_err(|_| {
            setting(
                "http.listen",
                "write an address and a port, like 127.0.0.1:3000",
            )
        })
    }

    /// The networks of the proxies in front.
    pub fn trusted_proxies(&self) -> Result<Vec<IpNet>, ConfigError> {
        let network = |text: &String| {
            let network = text.parse::<IpNet>();
            let network = network.or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            network.map_err(|_| {
                let why = format!("{text:?} is neither a network like 10.0.0.0/8 nor an address");
                setting("http.trusted_proxies", &why)
            })
        };
        self.http.trusted_proxies.iter().map(network).collect()
    }

    /// The virus scanner; `None` if files are not scanned.
    pub fn scanner(&self) -> Result<Option<Scanner>, ConfigError> {
        let address = self.uploads.clamd.as_str();
        if address.is_empty() {
            return Ok(None);
        }
        Scanner::parse(address).map(Some).ok_or_else(|| {
            setting(
                "uploads.clamd",
                "write tcp:HOST:PORT or unix:PATH, like tcp:127.0.0.1:3310 or unix:/run/clamav/clamd.ctl",
            )
        })
    }

    /// The database's URL.
    pub fn database_url(&self) -> String {
        if self.storage.database.is_empty() {
            format!(
                "sqlite:{}",
                Path::new(&self.storage.data_dir)
                    .join("tessera.db")
                    .display()
            )
        } else {
            self.storage.database.clone()
        }
    }

    /// The URL of the sandbox bank's database.
    pub fn bank_database_url(&self) -> String {
        if self.sandbox.bank_database.is_empty() {
            bank_database_beside(&self.database_url())
        } else {
            self.sandbox.bank_database.clone()
        }
    }

    /// The key file's path.
    pub fn secrets_file(&self) -> PathBuf {
        if self.storage.secrets_file.is_empty() {
            Path::new(&self.storage.data_dir).join("secrets.key")
        } else {
            PathBuf::from(&self.storage.secrets_file)
        }
    }

    /// The public URL, given the address that was really bound (port 0 becomes a port only then).
    pub fn public_url(&self, bound: SocketAddr) -> String {
        if self.http.public_url.is_empty() {
            format!("http://{bound}")
        } else {
            self.http.public_url.trim_end_matches('/').to_owned()
        }
    }

    /// The text of `config.example.toml`.
    pub fn example() -> String {
        let head = "# Every setting with its default, generated by `cargo xtask generate`.\n\
                    # Give this file with --config FILE; TESSERA_<SECTION>__<KEY> variables override it, the command line overrides both.\n";
        let sections = [
            Http::example(),
            Storage::example(),
            Portal::example(),
            Mail::example(),
            Sandbox::example(),
            Skills::example(),
            Uploads::example(),
            Signing::example(),
            Limits::example(),
            Data::example(),
            Telemetry::example(),
            Log::example(),
        ];
        format!("{head}\n{}", sections.join("\n"))
    }

    fn check(&self) -> Result<(), ConfigError> {
        let listen = self.listen()?;
        let public = self.public_url(listen);
        let url = url::Url::parse(&public).map_err(|_| {
            setting(
                "http.public_url",
                "write a whole URL, like https://portal.example.com",
            )
        })?;
        let plain_path = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty();
        if !matches!(url.scheme(), "http" | "https") || !plain_path {
            return Err(setting(
                "http.public_url",
                "write scheme and host only, like https://portal.example.com",
            ));
        }
        if url.scheme() == "http" && !is_loopback(&url) {
            return Err(setting(
                "http.public_url",
                "plain http is for loopback only: use an https URL (a proxy in front may end TLS)",
            ));
        }
        self.trusted_proxies()?;
        self.scanner()?;
        self.check_contact()?;
        check_database("storage.database", &self.database_url())?;
        check_database("sandbox.bank_database", &self.bank_database_url())?;
        let (own, bank) = (self.database_url(), self.bank_database_url());
        if file_of(&own).is_some() && file_of(&own) == file_of(&bank) {
            return Err(setting(
                "sandbox.bank_database",
                "the product's database is in that file: the bank needs one of its own",
            ));
        }
        self.sandbox
            .bank_listen
            .parse::<SocketAddr>()
            .map_err(|_| {
                setting(
                    "sandbox.bank_listen",
                    "write an address and a port, like 127.0.0.1:0",
                )
            })?;
        if !matches!(self.log.format.as_str(), "text" | "json") {
            return Err(setting("log.format", "must be text or json"));
        }
        self.log
            .filter
            .parse::<tracing_subscriber::EnvFilter>()
            .map_err(|error| setting("log.filter", &error.to_string()))?;
        self.check_data()?;
        self.check_telemetry()?;
        for (name, seconds) in [
            (
                "sandbox.temp_token_seconds",
                self.sandbox.temp_token_seconds,
            ),
            ("limits.temp_token_seconds", self.limits.temp_token_seconds),
        ] {
            if !(10..=3600).contains(&seconds) {
                return Err(setting(name, "must be between 10 and 3600"));
            }
        }
        if !(0..=86_400).contains(&self.sandbox.verification_seconds) {
            return Err(setting(
                "sandbox.verification_seconds",
                "must be between 0 and 86400",
            ));
        }
        Ok(())
    }
}

impl Config {
    /// A line break would forge lines of security.txt.
    fn check_contact(&self) -> Result<(), ConfigError> {
        let contact = &self.portal.security_contact;
        let known = contact.starts_with("mailto:") || contact.starts_with("https://");
        let whole =
            url::Url::parse(contact).is_ok() && contact.bytes().all(|b| b.is_ascii_graphic());
        if contact.is_empty() || (known && whole) {
            return Ok(());
        }
        Err(setting(
            "portal.security_contact",
            "write a URI, like mailto:security@example.com or https://example.com/security",
        ))
    }

    fn check_data(&self) -> Result<(), ConfigError> {
        /// Minutes: further apart is no refresh.
        const YEAR: i64 = 365 * 24 * 60;
        let data = &self.data;
        if !(1..=YEAR).contains(&data.refresh_minutes) {
            return Err(setting(
                "data.refresh_minutes",
                "must be between 1 and 525600",
            ));
        }
        for (name, seconds) in [
            (
                "data.first_fetch_wait_seconds",
                data.first_fetch_wait_seconds,
            ),
            ("data.refresh_wait_seconds", data.refresh_wait_seconds),
        ] {
            if !(1..=60).contains(&seconds) {
                return Err(setting(name, "must be between 1 and 60"));
            }
        }
        if !(0..=YEAR).contains(&data.background_refresh_minutes) {
            return Err(setting(
                "data.background_refresh_minutes",
                "must be between 0 and 525600",
            ));
        }
        if data
            .reminder_days
            .iter()
            .any(|days| !(1..=365).contains(days))
        {
            return Err(setting(
                "data.reminder_days",
                "must be days between 1 and 365, like [30, 14, 7, 1]",
            ));
        }
        if !(30..=36_500).contains(&data.audit_days) {
            return Err(setting("data.audit_days", "must be between 30 and 36500"));
        }
        if !(0..=1000).contains(&data.bank_calls_per_day) {
            return Err(setting(
                "data.bank_calls_per_day",
                "must be between 0 and 1000",
            ));
        }
        Ok(())
    }
}

fn setting(key: &str, why: &str) -> ConfigError {
    ConfigError::Setting {
        key: key.to_owned(),
        why: why.to_owned(),
    }
}

fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn named(error: figment::Error) -> ConfigError {
    use figment::error::Kind;
    let path = error.path.join(".");
    match &error.kind {
        Kind::UnknownField(field, expected) => {
            let key = if path.is_empty() || path.ends_with(field.as_str()) {
                field.clone()
            } else {
                format!("{path}.{field}")
            };
            ConfigError::Setting {
                key,
                why: format!(
                    "there is no such setting here; there are: {}",
                    expected.join(", ")
                ),
            }
        }
        kind if !path.is_empty() => ConfigError::Setting {
            key: path,
            why: kind.to_string(),
        },
        _ => ConfigError::Unreadable(Box::new(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(file: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, file).unwrap();
        Config::load(&Overrides {
            config: Some(path),
            ..Overrides::default()
        })
    }

    #[test]
    fn an_error_names_the_setting() {
        let cases = [
            ("[http]\nlisten = 5\n", "http.listen"),
            ("[http]\nlisten = \"nowhere\"\n", "http.listen"),
            ("[http]\nlitsen = \"127.0.0.1:1\"\n", "litsen"),
            ("[htpp]\n", "htpp"),
            (
                "[http]\npublic_url = \"http://portal.example.com\"\n",
                "http.public_url",
            ),
            (
                "[http]\npublic_url = \"https://portal.example.com/path\"\n",
                "http.public_url",
            ),
            ("[log]\nformat = \"xml\"\n", "log.format"),
            (
                "[portal]\nsecurity_contact = \"security@example.com\"\n",
                "portal.security_contact",
            ),
            (
                "[portal]\nsecurity_contact = \"mailto:a@example.com\\nExpires: never\"\n",
                "portal.security_contact",
            ),
            (
                "[telemetry]\notlp_endpoint = \"collector:4318\"\n",
                "telemetry.otlp_endpoint",
            ),
            (
                "[telemetry]\notlp_endpoint = \"http://collector:4318/v1/traces\"\n",
                "telemetry.otlp_endpoint",
            ),
            (
                "[telemetry]\nmetrics_listen = \"9464\"\n",
                "telemetry.metrics_listen",
            ),
            (
                "[telemetry]\nmetrics_listen = \"127.0.0.1:3000\"\n",
                "telemetry.metrics_listen",
            ),
            (
                "[http]\ntrusted_proxies = [\"10.0.0.0/33\"]\n",
                "http.trusted_proxies",
            ),
        ];
        for (file, key) in cases {
            let error = with(file).unwrap_err().to_string();
            assert!(error.contains(key), "{file}: {error}");
        }
    }

    #[test]
    fn the_banks_database_is_beside_the_products_unless_it_is_named() {
        let url = |file: &str| with(file).unwrap().bank_database_url();
        assert_eq!(url(""), "sqlite:data/bank.db");
        for (own, bank) in [
            ("sqlite:/srv/tessera.db", "sqlite:/srv/bank.db"),
            ("sqlite:///srv/one.sqlite", "sqlite:/srv/one-bank.sqlite"),
            ("sqlite:one", "sqlite:one-bank"),
            ("postgres://a@b/c", "postgres://a@b/c"),
        ] {
            assert_eq!(url(&format!("[storage]\ndatabase = \"{own}\"\n")), bank);
        }
        let named = "[sandbox]\nbank_database = \"postgres://a@b/bank\"\n";
        assert_eq!(url(named), "postgres://a@b/bank");
        for refused in ["sqlite:data/tessera.db", "sqlite::memory:", "mysql://a"] {
            let error = with(&format!("[sandbox]\nbank_database = \"{refused}\"\n"));
            let error = error.unwrap_err().to_string();
            assert!(error.contains("sandbox.bank_database"), "{error}");
        }
    }

    #[test]
    fn the_example_file_is_the_defaults() {
        let config = with(&Config::example()).unwrap();
        assert_eq!(
            toml::to_string(&config).unwrap(),
            toml::to_string(&Config::default()).unwrap()
        );
    }

    #[test]
    fn the_public_url_comes_from_the_settings_or_the_socket() {
        let bound = "127.0.0.1:4001".parse().unwrap();
        assert_eq!(with("").unwrap().public_url(bound), "http://127.0.0.1:4001");
        assert_eq!(
            with("[http]\npublic_url = \"https://portal.example.com/\"\n")
                .unwrap()
                .public_url(bound),
            "https://portal.example.com"
        );
    }
}
