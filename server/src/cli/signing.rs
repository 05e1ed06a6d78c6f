//! The operator's commands about keys that sign requests.

use app::domain::ids::{ServicerId, SigningKeyId};
use app::portal::signing::NewSigningKey;
use clap::Subcommand;
use serde_json::json;

use super::Failed;
use super::operate::{Output, open, say, told};
use crate::config::Config;
use crate::services::acts::Proved;
use crate::services::operators;
use crate::services::signatures::keys;

#[derive(Subcommand)]
pub enum SigningKey {
    /// Register a public key, or the URL of a set of them, that a servicer signs requests with.
    #[command(
        after_help = "Example:\n  server signing-key add --servicer ID --issuer signer@app.example.com --key public.pem"
    )]
    Add {
        /// The `servicer_id` it belongs to.
        #[arg(long)]
        servicer: ServicerId,
        /// What the signatures say in `iss`.
        #[arg(long)]
        issuer: String,
        /// A file with a PEM or JWK, or the https: URL of a JWKS.
        #[arg(long, value_name = "FILE|URL")]
        key: String,
        #[command(flatten)]
        output: Output,
    },
    /// Stop a key at once.
    Stop {
        /// The `servicer_id` it belongs to.
        #[arg(long)]
        servicer: ServicerId,
        /// Its id, as `add` printed it.
        id: SigningKeyId,
        #[command(flatten)]
        output: Output,
    },
}

pub async fn run(config: &Config, command: SigningKey) -> Result<(), Failed> {
    let (state, by) = (open(config).await?, Proved::command_line());
    match command {
        SigningKey::Add {
            servicer,
            issuer,
            key,
            output,
        } => {
            let is_url = key.starts_with("https:") || key.starts_with("http:");
            let material = if is_url {
                key
            } else {
                std::fs::read_to_string(&key)
                    .map_err(|error| Failed::Asked(format!("--key: cannot read {key}: {error}")))?
            };
            let new = NewSigningKey { issuer, material };
            let id = told(operators::add_signing_key(&state, &by, servicer, new).await)?;
            say(
                &output,
                &json!({ "signing_key_id": id, "servicer_id": servicer }),
                "Signatures made with it are accepted from now on.",
            )
        }
        SigningKey::Stop {
            servicer,
            id,
            output,
        } => {
            told(keys::stop_of(&state, &by, servicer, id).await)?;
            let done = json!({ "signing_key_id": id, "stopped": true });
            say(&output, &done, "Signatures made with it are refused.")
        }
    }
}
