//! A bank on a port of its own, a client registered with it, and a person with a browser that runs no scripts.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::clock::Clock;
use reqwest::header::LOCATION;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::storage::Db;
use crate::{Bank, RegisteredTpp, Settings, serve};

pub const VERIFIER: &str = "a-verifier-that-only-the-asking-side-knows-0123456789";
pub const REDIRECT: &str = "http://127.0.0.1:9/v1/redirects/aisp";

pub struct World {
    pub bank: Bank,
    pub clock: Clock,
    pub http: reqwest::Client,
    stop: CancellationToken,
}

/// One visit to the bank's pages.
pub struct Visit<'w> {
    world: &'w World,
    pub address: Url,
    pub cookie: String,
}

impl World {
    pub async fn open(db: Db) -> Self {
        let clock = Clock::mock("2026-01-01T09:00:00Z".parse().unwrap(), 7);
        let stop = CancellationToken::new();
        let settings = Settings {
            db,
            clock: clock.clone(),
            listen: "127.0.0.1:0".parse().unwrap(),
            public_url: String::new(),
            client: RegisteredTpp {
                id: "tpp".into(),
                secret: "s3cret".to_owned().into(),
                name: "A <Budget> App".into(),
            },
            verification: chrono::Duration::seconds(5),
            heartbeats: kernel::background::Heartbeats::default(),
        };
        let bank = serve(settings, stop.clone()).await.unwrap();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self {
            bank,
            clock,
            http,
            stop,
        }
    }

    pub async fn close(self) {
        self.stop.cancel();
        drop(self.http);
        self.bank.running.await.unwrap();
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.bank.url)
    }

    /// A call with the headers every call of a third-party provider has.
    pub fn call(&self, builder: RequestBuilder) -> RequestBuilder {
        builder
            .basic_auth("tpp", Some("s3cret"))
            .header("x-request-id", self.clock.id().to_string())
    }

    /// A read with a token and its consent.
    pub async fn read(&self, path: &str, token: &str, consent: &str) -> Response {
        let builder = self.http.get(self.url(path)).bearer_auth(token);
        let builder = builder.header("consent-id", consent);
        builder
            .header("x-request-id", self.clock.id().to_string())
            .send()
            .await
            .unwrap()
    }

    pub async fn consent(&self) -> String {
        self.consent_for("").await
    }

    /// A consent for an app that calls itself so; for none, if it has no name.
    pub async fn consent_for(&self, brand: &str) -> String {
        let ask = json!({ "access": { "accounts": [], "balances": [], "transactions": [] }, "recurringIndicator": true,
                          "validUntil": "2026-03-31", "frequencyPerDay": 4, "combinedServiceIndicator": false });
        let builder = self
            .call(self.http.post(self.url("/v1/consents")))
            .header("tpp-redirect-uri", REDIRECT);
        let builder = builder.header("tpp-brand-logging-information", brand.as_bytes());
        let response = builder.json(&ask).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        let body = json(response).await;
        assert_eq!(body["consentStatus"], "received");
        body["consentId"].as_str().unwrap().to_owned()
    }

    pub async fn consent_status(&self, consent: &str) -> String {
        let call = self.call(
            self.http
                .get(self.url(&format!("/v1/consents/{consent}/status"))),
        );
        json(call.send().await.unwrap()).await["consentStatus"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub async fn begin(&self, consent: &str) -> Response {
        self.begin_for(&format!("AIS:{consent}")).await
    }

    /// Begins a visit for a scope: what is to be agreed to.
    pub async fn begin_for(&self, scope: &str) -> Response {
        let mut address = Url::parse(&self.url("/authorise")).unwrap();
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        address.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", "tpp"),
            ("redirect_uri", REDIRECT),
            ("scope", scope),
            ("state", "the state"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        self.http.get(address).send().await.unwrap()
    }

    pub async fn visit(&self, consent: &str) -> Visit<'_> {
        self.visit_for(&format!("AIS:{consent}")).await
    }

    pub async fn visit_for(&self, scope: &str) -> Visit<'_> {
        let response = self.begin_for(scope).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let cookie = response.headers()["set-cookie"].to_str().unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"));
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let address = Url::parse(&self.url(&location(&response))).unwrap();
        Visit {
            world: self,
            address,
            cookie,
        }
    }

    pub async fn redeem(&self, code: &str, verifier: &str) -> Response {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", verifier),
        ];
        let builder = self
            .http
            .post(self.url("/token"))
            .basic_auth("tpp", Some("s3cret"));
        builder.form(&form).send().await.unwrap()
    }

    /// The whole way for one user who ticks every account: consent id and access token.
    pub async fn granted(&self, username: &str) -> (String, String) {
        let consent = self.consent().await;
        let visit = self.visit(&consent).await;
        visit.sign_in(username, "sandbox").await;
        let accounts = accounts_on(&visit.page().await);
        let code = code(&visit.decide("approve", &accounts).await);
        let body = json(self.redeem(&code, VERIFIER).await).await;
        (consent, body["access_token"].as_str().unwrap().to_owned())
    }
}

impl Visit<'_> {
    pub async fn get(&self) -> Response {
        let builder = self
            .world
            .http
            .get(self.address.clone())
            .header("cookie", &self.cookie);
        builder.send().await.unwrap()
    }

    pub async fn page(&self) -> String {
        self.get().await.text().await.unwrap()
    }

    pub fn form(&self, name: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let address = format!("{}/{name}", self.address);
        self.world
            .http
            .post(address)
            .header("cookie", &self.cookie)
            .form(fields)
    }

    pub async fn sign_in(&self, username: &str, password: &str) -> Response {
        let fields = [("username", username), ("password", password)];
        self.form("sign-in", &fields).send().await.unwrap()
    }

    pub async fn decide(&self, decision: &str, accounts: &[String]) -> Response {
        let mut fields = vec![("decision", decision)];
        fields.extend(
            accounts
                .iter()
                .map(|account| ("accounts", account.as_str())),
        );
        self.form("decision", &fields).send().await.unwrap()
    }
}

pub async fn json(response: Response) -> Value {
    response.json().await.unwrap()
}

pub fn location(response: &Response) -> String {
    response.headers()[LOCATION].to_str().unwrap().to_owned()
}

/// The query of the address a response leads to.
pub fn end(response: &Response) -> HashMap<String, String> {
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    let address = location(response);
    assert!(address.starts_with(REDIRECT), "{address}");
    Url::parse(&address)
        .unwrap()
        .query_pairs()
        .into_owned()
        .collect()
}

pub fn code(response: &Response) -> String {
    end(response)["code"].clone()
}

/// The values of the page's checkboxes, all of which are ticked beforehand: the end-user takes off what they keep to themselves.
pub fn accounts_on(page: &str) -> Vec<String> {
    let boxes = page.split("name=\"accounts\" value=\"").skip(1);
    boxes
        .map(|rest| {
            let (value, rest) = rest.split_once('"').unwrap();
            assert!(rest.starts_with(" checked"), "{rest}");
            value.to_owned()
        })
        .collect()
}

/// The code of the first `tppMessages` entry.
pub async fn tpp_code(response: Response) -> (StatusCode, String) {
    let status = response.status();
    let answer = json(response).await;
    (
        status,
        answer["tppMessages"][0]["code"]
            .as_str()
            .unwrap()
            .to_owned(),
    )
}
