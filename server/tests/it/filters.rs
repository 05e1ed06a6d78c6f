//! Every documented filter, alone and together, in both styles, against what the test works out itself from all rows.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::world::{Database, Keys, World, on_both};

on_both!(
    every_transaction_filter_finds_what_it_says,
    bounds_that_nothing_meets_are_refused_by_name,
    every_balance_filter_finds_what_it_says
);

/// Rows that are compared: the filters meet 50,000.
const MOST: usize = 1_500;
/// Amounts in units of 10^-12: exact for every bound here.
const UNIT: i128 = 1_000_000_000_000;

struct Row {
    id: String,
    account: String,
    currency: String,
    status: String,
    sign: String,
    category: String,
    merchant: String,
    amount: i128,
    booked: String,
    stored: String,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A decimal without exponent, exactly.
fn units(decimal: &str) -> i128 {
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    let fraction: i128 = format!("{fraction:0<12}").parse().unwrap();
    whole.parse::<i128>().unwrap() * UNIT + fraction
}

impl Row {
    fn of(row: &Value) -> Self {
        let data = &row["data"];
        Self {
            id: text(&row["id"]),
            account: text(&row["account_id"]),
            currency: text(&data["currency"]),
            status: text(&data["status"]),
            sign: text(&data["credit_debit_indicator"]),
            category: text(&data["details"]["category"]),
            merchant: text(&data["details"]["merchant"]),
            amount: units(data["amount"].as_str().unwrap()),
            booked: text(&data["booking_date_time"]),
            stored: text(&row["timestamp"]),
        }
    }
}

/// Sends a body as it is written, numbers to the last digit.
async fn post(world: &World, path: &str, body: String) -> Value {
    world.post_when_ready(path, body).await
}

async fn get(
    world: &World,
    keys: &Keys,
    pair: &(String, String),
    path: &str,
    query: &[(&str, String)],
) -> Value {
    let client = reqwest::Client::new();
    let mut url = url::Url::parse(&world.api(path)).unwrap();
    url.query_pairs_mut().extend_pairs(query);
    let request = client
        .get(url)
        .basic_auth(&keys.client_id, Some(&keys.client_secret))
        .header("X-Credentials-Id", &pair.0)
        .header("X-Access-Token", &pair.1);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{query:?}");
    answer.json().await.unwrap()
}

/// The body of a data call with a filter, each value as raw JSON.
fn body(keys: &Keys, pair: &(String, String), filter: &[(&str, String)], more: &str) -> String {
    let mut body = keys.data(pair).to_string();
    body.pop();
    let filter: Vec<_> = filter
        .iter()
        .map(|(key, value)| format!("\"{key}\":{value}"))
        .collect();
    format!("{body},\"filter\":{{{}}}{more}}}", filter.join(","))
}

type Test = Box<dyn Fn(&Row) -> bool + Send>;
type Case = (Vec<(&'static str, String)>, Test);

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Comparison of two times as text.
type Compare = fn(&str, &str) -> bool;

/// Every filter alone, then some together. Bounds lie on amounts that occur, beside them, and between two.
fn cases(rows: &[Row]) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut case = |filter: Vec<(&'static str, String)>, test: Test| cases.push((filter, test));
    let middle = &rows[rows.len() / 2];
    let shop = rows
        .iter()
        .find(|row| !row.merchant.is_empty())
        .unwrap()
        .merchant
        .clone();
    let category = middle.category.clone();
    let account = middle.account.clone();
    let (booked, stored) = (middle.booked.clone(), middle.stored.clone());
    let equal = |key: &'static str, value: &str, pick: fn(&Row) -> &str| -> Case {
        let wanted = value.to_owned();
        let test: Test = Box::new(move |row| pick(row) == wanted);
        (vec![(key, quoted(value))], test)
    };
    let mut words = vec![
        equal("account_id", &account, |row| &row.account),
        equal("currency", "RON", |row| &row.currency),
        equal("currency", "EUR", |row| &row.currency),
        equal("status", "booked", |row| &row.status),
        equal("status", "pending", |row| &row.status),
        equal("credit_debit_indicator", "credit", |row| &row.sign),
        equal("credit_debit_indicator", "debit", |row| &row.sign),
        equal("category", &category, |row| &row.category),
        equal("category", "no such", |row| &row.category),
        equal("merchant", &shop, |row| &row.merchant),
        equal("location", "Bucharest", |_| ""),
        equal("tag", "travel", |_| ""),
    ];
    let amount = middle.amount;
    let written = format!("{}.{:02}", amount / UNIT, amount % UNIT / (UNIT / 100));
    for (bound, units) in [
        (written.clone(), amount),
        (format!("{written}00000001"), amount + 100),
        (format!("{written}0000000001"), amount + 1),
        ("20.0".to_owned(), 20 * UNIT),
        ("1e2".to_owned(), 100 * UNIT),
        ("0.0000000001".to_owned(), 100),
    ] {
        let mut compare = |key, holds: fn(i128, i128) -> bool| {
            case(
                vec![(key, bound.clone())],
                Box::new(move |row| holds(row.amount, units)),
            );
        };
        compare("eq", |amount, bound| amount == bound);
        compare("gte", |amount, bound| amount >= bound);
        compare("gt", |amount, bound| amount > bound);
        compare("lte", |amount, bound| amount <= bound);
        compare("lt", |amount, bound| amount < bound);
    }
    let compares: [(&str, Compare); 5] = [
        ("eq", |time, bound| time == bound),
        ("gte", |time, bound| time >= bound),
        ("gt", |time, bound| time > bound),
        ("lte", |time, bound| time <= bound),
        ("lt", |time, bound| time < bound),
    ];
    for (name, holds) in compares {
        let key = |noun: &str| -> &'static str { format!("{noun}_{name}").leak() };
        let bound = booked.clone();
        case(
            vec![(key("booking_date"), quoted(&booked))],
            Box::new(move |row| holds(&row.booked, &bound)),
        );
        let bound = stored.clone();
        case(
            vec![(key("timestamp"), quoted(&stored))],
            Box::new(move |row| holds(&row.stored, &bound)),
        );
    }
    let bound = (booked.clone(), category.clone(), account.clone());
    case(
        vec![
            ("account_id", quoted(&account)),
            ("category", quoted(&category)),
            ("credit_debit_indicator", quoted("debit")),
            ("booking_date_lt", quoted(&booked)),
            ("gte", "15.5".to_owned()),
            ("lt", "150.0000000001".to_owned()),
        ],
        Box::new(move |row| {
            row.account == bound.2
                && row.category == bound.1
                && row.sign == "debit"
                && row.booked < bound.0
                && row.amount * 2 >= 31 * UNIT
                && row.amount < 150 * UNIT + 100
        }),
    );
    let bound = (booked.clone(), shop.clone());
    case(
        vec![
            ("merchant", quoted(&shop)),
            ("status", quoted("booked")),
            ("booking_date_gte", quoted(&booked)),
            ("timestamp_lte", quoted(&stored)),
            ("currency", quoted("RON")),
        ],
        {
            let stored = stored.clone();
            Box::new(move |row| {
                row.merchant == bound.1
                    && row.status == "booked"
                    && row.booked >= bound.0
                    && row.stored <= stored
                    && row.currency == "RON"
            })
        },
    );
    case(
        vec![("gt", "50".to_owned()), ("lt", "50".to_owned())],
        Box::new(|_| false),
    );
    words.append(&mut cases);
    words
}

async fn every_transaction_filter_finds_what_it_says(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    let pair = world.pair(&keys, "business").await;
    let all = post(&world, "/v1/transactions/get", keys.data(&pair).to_string()).await;
    let rows: Vec<Row> = all.as_array().unwrap().iter().map(Row::of).collect();
    assert!(rows.len() >= 50_000, "{}", rows.len());
    let newest_first = rows
        .windows(2)
        .all(|two| (&two[0].booked, &two[0].id) > (&two[1].booked, &two[1].id));
    assert!(newest_first, "by booking date, then id");
    let (mut some, mut none) = (0, 0);
    for (filter, test) in cases(&rows) {
        let wanted: Vec<&str> = rows
            .iter()
            .filter(|row| test(row))
            .map(|row| row.id.as_str())
            .collect();
        let first = &wanted[..wanted.len().min(MOST)];
        let found = post(
            &world,
            "/v1/transactions/get",
            body(&keys, &pair, &filter, &format!(",\"limit\":{MOST}")),
        )
        .await;
        assert_eq!(ids(&found), first, "{filter:?}");
        let bare = |value: &String| value.trim_matches('"').to_owned();
        let mut query: Vec<_> = filter
            .iter()
            .map(|(key, value)| (*key, bare(value)))
            .collect();
        query.push(("limit", "400".to_owned()));
        let page = get(&world, &keys, &pair, "/v1/transactions", &query).await;
        assert_eq!(
            ids(&page["items"]),
            &wanted[..wanted.len().min(400)],
            "{filter:?}"
        );
        assert_eq!(page["has_more"], wanted.len() > 400, "{filter:?}");
        if wanted.len() > 400 {
            query.push(("after", text(&page["next_cursor"])));
            let page = get(&world, &keys, &pair, "/v1/transactions", &query).await;
            assert_eq!(
                ids(&page["items"]),
                &wanted[400..wanted.len().min(800)],
                "{filter:?}"
            );
        }
        *if wanted.is_empty() {
            &mut none
        } else {
            &mut some
        } += 1;
    }
    assert!(
        some > 30 && none > 4,
        "filters that find nothing show little: {some}, {none}"
    );
}

fn ids(rows: &Value) -> Vec<&str> {
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| row["id"].as_str().unwrap()).collect()
}

async fn bounds_that_nothing_meets_are_refused_by_name(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    let pair = world.pair(&keys, "family").await;
    for (filter, wrong) in [
        (&[("eq", "-37.27")][..], &["eq"][..]),
        (&[("lt", "0")], &["lt"]),
        (&[("lte", "-1")], &["lte"]),
        (&[("gt", "10"), ("lt", "5")], &["gt", "lt"]),
        (&[("eq", "5"), ("gte", "7")], &["gte", "eq"]),
        (
            &[
                ("booking_date_gte", "2026-02-01"),
                ("booking_date_lte", "2026-01-31"),
            ],
            &["booking_date_gte", "booking_date_lte"],
        ),
        (
            &[
                ("timestamp_eq", "2026-02-01"),
                ("timestamp_lt", "2026-01-31T23:59:59Z"),
            ],
            &["timestamp_eq", "timestamp_lt"],
        ),
        (&[("location", " ")], &["location"]),
        (&[("tag", "")], &["tag"]),
    ] {
        let object: serde_json::Map<String, Value> = filter
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Value::from(*value)))
            .collect();
        let mut asked = keys.data(&pair);
        asked["filter"] = object.into();
        let (status, said) = world.post("/v1/transactions/get", &asked).await;
        let paths = |said: &Value| {
            let fields = said["fields"].as_array().unwrap().iter();
            fields.map(|field| text(&field["path"])).collect::<Vec<_>>()
        };
        assert_eq!(status, 400, "{filter:?}: {said}");
        let under: Vec<String> = wrong.iter().map(|name| format!("filter.{name}")).collect();
        assert_eq!(paths(&said), under, "{said}");
        let mut url = url::Url::parse(&world.api("/v1/transactions")).unwrap();
        url.query_pairs_mut().extend_pairs(filter);
        let answer = reqwest::Client::new()
            .get(url)
            .basic_auth(&keys.client_id, Some(&keys.client_secret))
            .header("X-Credentials-Id", &pair.0)
            .header("X-Access-Token", &pair.1);
        let answer = answer.send().await.unwrap();
        assert_eq!(answer.status(), 400, "{filter:?}");
        assert_eq!(paths(&answer.json().await.unwrap()), wrong);
    }
}

async fn every_balance_filter_finds_what_it_says(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    let pair = world.pair(&keys, "family").await;
    let all = post(&world, "/v1/balances/get", keys.data(&pair).to_string()).await;
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), 4 * 3, "three of each of four accounts");
    let account = &all[5]["account_id"];
    let mut filters = vec![
        vec![("account_id", account)],
        vec![("currency", &all[0]["data"]["currency"])],
        vec![("account_id", account), ("type", &all[5]["data"]["type"])],
    ];
    let documented = [
        "ClosingAvailable",
        "ClosingBooked",
        "ClosingCleared",
        "Expected",
        "ForwardAvailable",
        "Information",
        "InterimAvailable",
        "InterimBooked",
        "InterimCleared",
        "OpeningAvailable",
        "OpeningBooked",
        "OpeningCleared",
        "PreviouslyClosedBooked",
    ]
    .map(Value::from);
    filters.extend(documented.iter().map(|kind| vec![("type", kind)]));
    let mut kinds = BTreeSet::new();
    for filter in filters {
        let holds = |row: &&Value| {
            filter.iter().all(|(key, value)| {
                let has = if *key == "account_id" {
                    &row[*key]
                } else {
                    &row["data"][*key]
                };
                has == *value
            })
        };
        let wanted: Vec<&str> = all
            .iter()
            .filter(holds)
            .map(|row| row["id"].as_str().unwrap())
            .collect();
        let raw: Vec<_> = filter
            .iter()
            .map(|(key, value)| (*key, value.to_string()))
            .collect();
        let found = post(&world, "/v1/balances/get", body(&keys, &pair, &raw, "")).await;
        assert_eq!(ids(&found), wanted, "{filter:?}");
        let query: Vec<_> = filter
            .iter()
            .map(|(key, value)| (*key, text(value)))
            .collect();
        let page = get(&world, &keys, &pair, "/v1/balances", &query).await;
        assert_eq!(ids(&page["items"]), wanted, "{filter:?}");
        kinds.extend(
            found
                .as_array()
                .unwrap()
                .iter()
                .map(|row| text(&row["data"]["type"])),
        );
    }
    assert_eq!(kinds.len(), 3);
    let odd = body(&keys, &pair, &[("type", quoted("Nonsense"))], "");
    let odd: Value = serde_json::from_str(&odd).unwrap();
    let (status, answer) = world.post("/v1/balances/get", &odd).await;
    assert_eq!(
        (status, &answer["fields"][0]["path"]),
        (400, &Value::from("filter.type")),
        "{answer}"
    );
}
