//! The kinds of calls, each with its own odds of being wrong.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::Rng as _;
use serde_json::Map;

use super::calls::{Call, Maker, form, get};
use super::words;
use super::*;

impl Maker {
    /// A filter of transactions: members and raw values.
    fn filter(&mut self) -> Vec<(&'static str, Value)> {
        let mut filter = Vec::new();
        for _ in 0..self.rng.random_range(0..4) {
            let odd = if self.rng.random_bool(0.1) {
                "nonsense"
            } else {
                "currency"
            };
            let name = self.one(&[
                "account_id",
                "currency",
                "status",
                "credit_debit_indicator",
                "category",
                "merchant",
                "eq",
                "gt",
                "gte",
                "lt",
                "lte",
                "booking_date_eq",
                "booking_date_gt",
                "booking_date_gte",
                "booking_date_lt",
                "booking_date_lte",
                "timestamp_eq",
                "timestamp_gt",
                "timestamp_gte",
                "timestamp_lt",
                "timestamp_lte",
                "location",
                odd,
            ]);
            let value = match name {
                "account_id" => json!(self.some("account")),
                "currency" => json!(words::currency(&mut self.rng)),
                "status" => {
                    json!(self.one(&["booked", "booked", "booked", "pending", "pending", "Booked"]))
                }
                "credit_debit_indicator" => {
                    json!(self.one(&["credit", "debit", "debit", "credit", "DBIT"]))
                }
                "category" => json!(self.some("category")),
                "eq" | "gt" | "gte" | "lt" | "lte" => {
                    let number = words::number(&mut self.rng);
                    serde_json::from_str(&number).unwrap_or_else(|_| json!(number))
                }
                time if time.starts_with("booking") || time.starts_with("timestamp") => {
                    json!(words::time(&mut self.rng))
                }
                _ => json!(words::text(&mut self.rng)),
            };
            filter.retain(|(known, _)| *known != name);
            filter.push((name, value));
        }
        filter
    }

    fn limit(&mut self) -> Value {
        self.one(&[
            json!(1),
            json!(2),
            json!(7),
            json!(100),
            json!(500),
            json!(0),
            json!(501),
            json!("x"),
        ])
    }

    fn rest(&mut self, path: &str, query: &[(&str, Value)]) -> Call {
        let keys = self.data_keys();
        self.rest_with(&keys, path, query)
    }

    fn rest_with(&self, keys: &Map<String, Value>, path: &str, query: &[(&str, Value)]) -> Call {
        let text = |value: &Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in query {
            pairs.append_pair(name, &text(value));
        }
        let basic = STANDARD.encode(format!("{}:{}", self.client_id, self.client_secret));
        let mut headers = vec![("authorization", format!("Basic {basic}"))];
        for (name, header) in [
            ("credentials_id", "x-credentials-id"),
            ("access_token", "x-access-token"),
        ] {
            if let Some(value) = keys.get(name) {
                headers.push((header, text(value)));
            }
        }
        Call {
            headers,
            ..get(&format!("{path}?{}", pairs.finish()))
        }
    }

    /// Any call.
    pub fn call(&mut self) -> Call {
        match self.rng.random_range(0..100) {
            0..22 => self.transactions(),
            22..46 => self.transaction_pages(),
            46..58 => self.sync(),
            58..68 => self.accounts(),
            68..80 => self.flow(),
            80..86 => self.consents(),
            86..90 => self.catalog(),
            _ => self.portal(),
        }
    }

    fn transactions(&mut self) -> Call {
        let mut body = self.data_keys();
        let filter = self
            .filter()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        let filter: Map<String, Value> = filter.collect();
        if !filter.is_empty() {
            body.insert("filter".into(), Value::Object(filter));
        }
        body.insert("limit".into(), self.limit());
        if self.rng.random_bool(0.3) {
            let kind = self.one(&["cursor", "id"]);
            let after = self.some(kind);
            body.insert("after".into(), json!(after));
        }
        Self::post("/v1/transactions/get", body)
    }

    fn transaction_pages(&mut self) -> Call {
        self.current.1 = "transactions";
        let keys = self.data_keys();
        let mut query = self.filter();
        query.push(("limit", self.limit()));
        if self.rng.random_bool(0.5) {
            query.push(("after", json!(self.some("cursor"))));
        }
        self.rest_with(&keys, "/v1/transactions", &query)
    }

    fn sync(&mut self) -> Call {
        self.current.1 = "sync";
        let mut body = self.data_keys();
        body.insert("count".into(), self.limit());
        if self.rng.random_bool(0.7) {
            body.insert("cursor".into(), json!(self.some("cursor")));
        }
        Self::post("/v1/transactions/sync", body)
    }

    fn accounts(&mut self) -> Call {
        match self.rng.random_range(0..4) {
            0 => {
                let body = self.data_keys();
                Self::post("/v1/accounts/get", body)
            }
            1 => {
                let query = [
                    ("limit", self.limit()),
                    ("after", json!(self.some("account"))),
                ];
                let some = self.rng.random_range(0..=2);
                self.rest("/v1/accounts", &query[..some])
            }
            _ => {
                self.current.1 = "balances";
                let keys = self.data_keys();
                let kind = self.one(&["ClosingBooked", "InterimAvailable", "closingBooked", ""]);
                let query = [
                    ("limit", self.limit()),
                    ("currency", json!(words::currency(&mut self.rng))),
                    ("type", json!(kind)),
                    ("account_id", json!(self.some("account"))),
                    ("after", json!(self.some("cursor"))),
                ];
                let from = self.rng.random_range(0..=5);
                let until = self.rng.random_range(from..=5);
                self.rest_with(&keys, "/v1/balances", &query[from..until])
            }
        }
    }

    fn flow(&mut self) -> Call {
        match self.rng.random_range(0..10) {
            0..2 => {
                let skill = self.one(&[AISP, FORM, ANY, "xyz_ro_pisp_sbx_#1.0", "abc_#1.0", "é"]);
                let mut call = self.open(skill);
                if self.rng.random_bool(0.5) {
                    let mut body: Map<String, Value> = serde_json::from_str(&call.body).unwrap();
                    body.insert("state".into(), json!(words::text(&mut self.rng)));
                    body.insert("tenant_user_id".into(), json!(words::text(&mut self.rng)));
                    call.body = Value::Object(body).to_string();
                }
                call
            }
            2 => self.sca(),
            3..5 => {
                let data = json!({ "value": words::text(&mut self.rng) });
                let step = self.one(&["product_form", "confirm", "one", "é"]);
                self.submit(step, data)
            }
            5..8 => self.payment(),
            8 => {
                let token = self.some("temp_token");
                self.exchange(&token)
            }
            _ => {
                let session = self.some("session");
                let what = self.one(&["get", "get", "cancel"]);
                let body = self.keys();
                let encoded: String =
                    url::form_urlencoded::byte_serialize(session.as_bytes()).collect();
                Self::post(&format!("/v1/sessions/{encoded}/{what}"), body)
            }
        }
    }

    fn payment(&mut self) -> Call {
        let rng = &mut self.rng;
        let iban = [
            "DE89370400440532013000",
            "de89 3704 0044 0532 0130 00",
            "DE00370400440532013000",
            "RO49AAAA1B31007593840000",
        ];
        let amount = ["12.50", "0.00", "999999999.99", "1000000000.00", "1e2"];
        let data = json!({
            "psu_redirect_link": LINK,
            "payment_info": [{ "credit_transfer_transaction_information": [{
                "payment_id": { "end_to_end_id": if rng.random_bool(0.7) { "invoice-77".into() } else { words::text(rng) } },
                "amount": { "instructed_amount": {
                    "amount": amount[rng.random_range(0..amount.len())], "currency": words::currency(rng) } },
                "creditor": { "name": words::text(rng) },
                "creditor_account": { "iban": iban[rng.random_range(0..iban.len())] },
                "remittance_information": { "unstructured": words::text(rng) },
            }] }],
        });
        self.submit("payment_intent", data)
    }

    fn consents(&mut self) -> Call {
        match self.rng.random_range(0..60) {
            0..30 => {
                self.current.1 = "consents";
                let status = self.one(&["ACTIVE", "DELETED", "EXPIRED", "active"]);
                let query = [
                    ("limit", self.limit()),
                    ("status", json!(status)),
                    ("skill", json!(self.one(&[AISP, FORM, "é"]))),
                    ("after", json!(self.some("consent"))),
                ];
                let from = self.rng.random_range(0..=4);
                let until = self.rng.random_range(from..=4);
                let mut call = self.rest("/v1/consents", &query[from..until]);
                call.headers.truncate(1);
                call
            }
            30..59 => {
                let body = self.data_keys();
                let path = self.one(&[
                    "/v1/consents/get",
                    "/v1/consents/get",
                    "/v1/payments/get",
                    "/v1/products/get",
                ]);
                Self::post(path, body)
            }
            _ => {
                let mut body = self.data_keys();
                body.insert(
                    "pcd_data_retention".into(),
                    json!(self.rng.random_range(-1..60)),
                );
                Self::post("/v1/consents/delete", body)
            }
        }
    }

    fn catalog(&mut self) -> Call {
        let query = [
            ("q", json!(words::text(&mut self.rng))),
            ("limit", self.limit()),
            ("country", json!(self.one(&["ro", "RO", "zz", "rou"]))),
            ("type", json!(self.one(&["marketplace", "aisp"]))),
            ("after", json!(self.some("cursor"))),
        ];
        let from = self.rng.random_range(0..=5);
        let until = self.rng.random_range(from..=5);
        let mut call = self.rest("/v1/catalog/skills", &query[from..until]);
        call.headers.clear();
        call
    }

    fn portal(&mut self) -> Call {
        let text = words::text(&mut self.rng);
        let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let id = self.client_id.clone();
        match self.rng.random_range(0..14) {
            0..4 => get(&format!("/tenants?q={encoded}")),
            4..7 => {
                let status = self.one(&[
                    "",
                    "4xx",
                    "200",
                    "xx",
                    "99999999999999999xx",
                    "9999999999999999999999",
                ]);
                let method = self.one(&["", "GET", "post", "%00"]);
                get(&format!(
                    "/requests?q={encoded}&status={status}&method={method}"
                ))
            }
            7 => get(&format!("/tenants/{id}")),
            8 => get(&format!("/tenants/{encoded}")),
            9 => get("/overview"),
            10 => {
                let skill = self.one(&[AISP, FORM, "é"]);
                let skill: String =
                    url::form_urlencoded::byte_serialize(skill.as_bytes()).collect();
                get(&format!("/skills/{skill}"))
            }
            11 => form(
                &format!("/tenants/{id}/settings"),
                &[("act", "name"), ("name", &text)],
            ),
            12 => form(
                "/tenants/new",
                &[
                    ("name", &text),
                    ("environment", "sandbox"),
                    ("skills", AISP),
                ],
            ),
            _ => form(
                "/signing/debugger",
                &[("authorization", &text), ("body", &text), ("token", &text)],
            ),
        }
    }
}
