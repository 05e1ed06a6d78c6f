//! What can be wrong with the settings of traces and metrics.

use std::net::SocketAddr;

use super::{Config, ConfigError, setting};

impl Config {
    /// The address of the listener for metrics; `None` if there is none.
    pub fn metrics_listen(&self) -> Result<Option<SocketAddr>, ConfigError> {
        let address = self.telemetry.metrics_listen.as_str();
        if address.is_empty() {
            return Ok(None);
        }
        let parsed = address.parse::<SocketAddr>().map_err(|_| {
            setting(
                "telemetry.metrics_listen",
                "write an address and a port, like 127.0.0.1:9464",
            )
        })?;
        if parsed == self.listen()? && parsed.port() != 0 {
            return Err(setting(
                "telemetry.metrics_listen",
                "metrics have a listener of their own: choose another port than that of http.listen",
            ));
        }
        Ok(Some(parsed))
    }

    pub(super) fn check_telemetry(&self) -> Result<(), ConfigError> {
        self.metrics_listen()?;
        let endpoint = self.telemetry.otlp_endpoint.as_str();
        if endpoint.is_empty() {
            return Ok(());
        }
        let is_plain = url::Url::parse(endpoint).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.path() == "/"
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
        });
        if is_plain {
            return Ok(());
        }
        Err(setting(
            "telemetry.otlp_endpoint",
            "write scheme, host and port only, like http://127.0.0.1:4318",
        ))
    }
}
