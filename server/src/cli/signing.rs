//! The operator's commands about keys that sign requests.

use app::domain::ids::{ServicerId, SigningKeyId};
use app::portal::signing::NewSigningKey;
use clap::Subcommand;
use serde_json::json;

use super::CommandError;
use super::operate::{Output, open_existing, outcome, say};
use crate::config::Config;
use crate::services::portal::audit::ProductionProof;
use crate::services::portal::operators;
use crate::services::portal::signing_keys::{self, is_url};

#[derive(Subcommand)]
pub enum SigningKeyCommand {
    /// Register a public key, or the URL of a set of them, that a servicer signs requests with.
    #[command(
        after_help = "Example:\n  server signing-key add --servicer ID --issuer signer@app.example.com --key public.pem"
    )]
    Add {
        /// The `servicer_id` it belongs to.
        #[arg(long)]
        servicer: ServicerId,
        /// Issuer that the signatures name in `iss`.
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

pub async fn run(config: &Config, command: SigningKeyCommand) -> Result<(), CommandError> {
    let (state, by) = (
        open_existing(config).await?,
        ProductionProof::command_line(),
    );
    match command {
        SigningKeyCommand::Add {
            servicer,
            issuer,
            key,
            output,
        } => {
            let material = if is_url(&key) { key } else { read(&key)? };
            let new = NewSigningKey { issuer, material };
            let id = outcome(operators::add_signing_key(&state, &by, servicer, new).await)?;
            say(
                &output,
                &json!({ "signing_key_id": id, "servicer_id": servicer }),
                "Signatures made with it are accepted from now on.",
            )
        }
        SigningKeyCommand::Stop {
            servicer,
            id,
            output,
        } => {
            outcome(signing_keys::stop_of(&state, &by, servicer, id).await)?;
            let done = json!({ "signing_key_id": id, "stopped": true });
            say(&output, &done, "Signatures made with it are refused.")
        }
    }
}

fn read(file: &str) -> Result<String, CommandError> {
    std::fs::read_to_string(file).map_err(|error| {
        let hint = if error.kind() == std::io::ErrorKind::InvalidData {
            ". If it is DER, turn it into PEM: openssl pkey -pubin -inform DER -in FILE"
        } else {
            ""
        };
        CommandError::Asked(format!("--key: cannot read {file}: {error}{hint}"))
    })
}
