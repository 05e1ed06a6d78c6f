//! `serve`: opens everything, says where it is, and ends in order when told to.
//!
//! Told to stop, the server first finishes what it has taken on, then stops what runs beside the requests and the sandbox
//! bank, which those requests may need, then closes the database.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::{Router, middleware};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::clock::Clock;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{CommandError, demo, print_text};
use crate::config::Config;
use crate::services::portal::Services;
use crate::skills::Registry;
use crate::skills::sandbox::{SandboxBank, connectors};
use crate::state::AppState;
use crate::worker::schedule::{self, SCHEDULE};
use crate::{api, http, portal, router, start, telemetry};

const BANK_CLIENT: &str = "tessera-sandbox";

/// Serves until SIGTERM or SIGINT.
pub async fn serve(config: Config, with_demo: bool) -> Result<(), CommandError> {
    let telemetry = telemetry::start(&config).map_err(broken)?;
    let listen = config.listen()?;
    refuse_public_demo(with_demo, &config, listen)?;
    start::check(&config).await?;
    let stop = CancellationToken::new();
    let after = CancellationToken::new();
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        CommandError::Done(format!(
            "cannot listen on {listen}: {error}. Stop what listens there, or choose another address with --listen."
        ))
    })?;
    let bound = listener.local_addr().map_err(broken)?;
    let scraped = metrics_listener(&config).await?;
    let mut state = start::open(&config, Clock::system()).await?;
    state.public_url = config.public_url(bound).into();
    let (state, bank) = sandbox(state, &after).await?;
    schedule::prepare(&state, SCHEDULE).await.map_err(broken)?;
    let background = tokio::spawn(schedule::run(state.clone(), after.clone()));
    let scraped_at = scraped.as_ref().map(TcpListener::local_addr);
    let scraped_at = scraped_at.transpose().map_err(broken)?;
    let scraped = scraped.map(|listener| {
        let serving = http::metrics::serve(state.clone(), listener, after.clone());
        tokio::spawn(serving)
    });
    let router = router(&state);
    say_where(&state, (bound, scraped_at), with_demo).await?;
    stop_on_signal(stop.clone())?;
    http::serve::run(state.clone(), listener, router, stop).await;
    after.cancel();
    for task in [Some(background), bank, scraped].into_iter().flatten() {
        task.await.map_err(broken)?;
    }
    state.close().await;
    telemetry.end().await;
    Ok(())
}

/// Listens for scrapes of the metrics, if that is set.
async fn metrics_listener(config: &Config) -> Result<Option<TcpListener>, CommandError> {
    let Some(address) = config.metrics_listen()? else {
        return Ok(None);
    };
    let listener = TcpListener::bind(address).await;
    listener.map(Some).map_err(|error| {
        CommandError::Done(format!(
            "cannot listen on {address} for metrics: {error}. Stop what listens there, or choose another address \
             (telemetry.metrics_listen)."
        ))
    })
}

/// The API and the portal, which reaches the API for its console.
fn router(state: &AppState) -> Router {
    let api_router = router::router(state);
    let services = Services::new(state.clone()).with_api(api_router.clone());
    let document = api::openapi(&state.public_url);
    let portal = portal::router(state, Arc::new(services), Arc::new(document));
    let slips = middleware::from_fn_with_state(api_router.clone(), http::slips::to_the_api);
    api_router.merge(portal.layer(slips))
}

fn refuse_public_demo(demo: bool, config: &Config, listen: SocketAddr) -> Result<(), CommandError> {
    // Plain http is for loopback alone, as the settings make sure.
    let public = config.public_url(listen).starts_with("https:");
    if demo && (public || !listen.ip().is_loopback()) {
        return Err(CommandError::Asked(
            "--demo: its login is printed at start, so it is for this machine only. Listen on 127.0.0.1 without a public URL, or leave --demo out."
                .to_owned(),
        ));
    }
    Ok(())
}

/// Opens the sandbox bank and publishes the skills that reach it, unless a setting says no.
async fn sandbox(
    state: AppState,
    stop: &CancellationToken,
) -> Result<(AppState, Option<JoinHandle<()>>), CommandError> {
    let settings = &state.config.sandbox;
    let (true, Some(own)) = (settings.enabled, &state.bank_database) else {
        return Ok((state, None));
    };
    // The same for every process on one database: a user may leave to one's bank and come back to another's.
    let secret = state.vault.derive("sandbox_bank.client").map_err(broken)?;
    let secret = URL_SAFE_NO_PAD.encode(*secret);
    let limits = bank::BankLimits {
        bounds: http::serve::bounds(&state.config.http),
        pages_per_minute: state
            .config
            .limits
            .browser_calls_per_minute
            .saturating_mul(2),
    };
    let bank = bank::serve_within(
        bank::Settings {
            db: own.db.clone().into(),
            clock: state.clock.clone(),
            listen: settings.bank_listen.parse().map_err(broken)?,
            public_url: settings.bank_public_url.clone(),
            client: bank::RegisteredTpp {
                id: BANK_CLIENT.to_owned(),
                secret: secret.clone().into(),
                name: state.config.portal.brand.clone(),
            },
            verification: chrono::Duration::seconds(settings.verification_seconds),
            heartbeats: state.heartbeats.clone(),
        },
        limits,
        stop.clone(),
    )
    .await
    .map_err(broken)?;
    let reached = SandboxBank {
        url: bank.url,
        client_id: BANK_CLIENT.to_owned(),
        client_secret: secret.into(),
    };
    let connectors = connectors(&reached, &state.clock, &state.metrics).map_err(broken)?;
    let manifests = Registry::shipped().map_err(broken)?;
    let skills = Registry::with(manifests, connectors)
        .and_then(|skills| skills.withholding(&state.config.skills.unpublished))
        .map_err(broken)?;
    let state = state.with_skills(skills).with_sandbox_bank(&reached.url);
    Ok((state, Some(bank.running)))
}

/// Prints the addresses of the server, the portal's URL first because scripts look for it. Where a proxy in front of
/// the server has that URL, the address that the proxy has to forward to comes next.
async fn say_where(
    state: &AppState,
    (bound, scraped_at): (SocketAddr, Option<SocketAddr>),
    with_demo: bool,
) -> Result<(), CommandError> {
    let mut text = format!("{} is at {}\n", state.config.portal.brand, state.public_url);
    let listens = format!("http://{bound}");
    if *state.public_url != *listens {
        text.push_str(&format!("It listens on {listens}\n"));
    }
    if let Some(address) = scraped_at {
        text.push_str(&format!("Its metrics are at http://{address}/metrics\n"));
    }
    if with_demo {
        let login = demo::login(state).await.map_err(broken)?;
        text.push_str(&format!(
            "Demo login: {} with password {}\n",
            login.email, login.password
        ));
    }
    print_text(&text)
}

/// The first SIGTERM or SIGINT lets the server finish; the second ends it where it stands.
fn stop_on_signal(stop: CancellationToken) -> Result<(), CommandError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(broken)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(broken)?;
    tokio::spawn(async move {
        for last in [false, true] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if last {
                std::process::exit(1);
            }
            tracing::info!("stopping: requests in flight are finished first");
            stop.cancel();
        }
    });
    Ok(())
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn broken(error: impl ToString) -> CommandError {
    CommandError::Done(error.to_string())
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Duration, Utc};
    use kernel::retention::RuledDatabase;

    use crate::services::sessions::erasure;
    use crate::storage::Db;
    use crate::storage::inventory::{KeptUntil, tables};
    use crate::storage::testing::rows::{Filling, counts, fill};
    use crate::storage::testing::{bank_beside, bank_twin, on_both, twin};
    use crate::testing::state;
    use crate::worker::retention;

    on_both!(what_has_outlived_its_time_is_gone);

    /// More rows than one batch, in every table; ten years later nothing is left but what has no end.
    async fn what_has_outlived_its_time_is_gone(db: Db) {
        const ROWS: i64 = 601;
        let bank = bank_beside(&db).await;
        let ruled = RuledDatabase {
            db: bank.kernel(),
            rules: bank::retention::RULES,
        };
        let state = state(db).with_bank_database(ruled);
        let folder = tempfile::tempdir().unwrap();
        let schema = twin(&folder).await;
        let filling = Filling {
            rows: ROWS,
            at: "2025-12-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap(),
            // Their own time comes by the clock; and a session that waits for a decision has none.
            empty: &[
                "sessions.erased_at",
                "sessions.pending_since",
                "consents.erased_at",
            ],
            gaps: false,
        };
        fill(&state.db, &schema, &filling).await;
        schema.close().await;
        let schema = bank_twin(&folder).await;
        fill(&bank, &schema, &filling).await;
        schema.close().await;
        let bank_before = counts(&bank).await;
        let before = counts(&state.db).await;
        erasure::erase(&state).await.unwrap();
        state.clock.advance(Duration::days(3_650));
        erasure::erase(&state).await.unwrap();
        // What a rule waited for another rule for goes in the next round.
        for _ in 0..2 {
            retention::sweep(&state).await.unwrap();
        }
        let left = counts(&state.db).await;
        for table in tables() {
            let count = left[table.name];
            match table.until {
                KeptUntil::Schedule | KeptUntil::Erasure | KeptUntil::With(_) => {
                    assert_eq!(count, 0, "{}", table.name);
                }
                KeptUntil::Installation | KeptUntil::Owner => {
                    assert_eq!(count, before[table.name], "{}", table.name);
                }
            }
        }
        let left = counts(&bank).await;
        for table in bank::inventory::TABLES {
            let stays = table.until != bank::inventory::KeptUntil::Schedule;
            let kept = if stays { bank_before[table.name] } else { 0 };
            assert_eq!(left[table.name], kept, "{}", table.name);
        }
        assert_eq!(retention::sweep(&state).await.unwrap(), 0);
    }
}
