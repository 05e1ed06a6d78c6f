//! An end-user's browser, as far as plain forms need one: cookies, redirects, hidden fields.

/// Decision of the end-user on the consent page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Approve,
    Refuse,
}

/// A page with the URL it was found at.
pub struct Page {
    pub status: u16,
    pub url: String,
    pub html: String,
}

/// End of a chain of redirects.
pub enum End {
    Page(Page),
    /// Sent to a link that is no web page of ours: the tenant's.
    Left(String),
}

#[derive(Default)]
pub struct Browser {
    cookies: Vec<(String, String)>,
    /// Text of addresses that are not opened: redirects are followed up to the first that holds it.
    shuns: Option<&'static str>,
}

impl Browser {
    pub async fn open(&mut self, url: &str) -> End {
        self.follow(url, None).await
    }

    /// Submits the page's form with its hidden fields and these.
    pub async fn submit(&mut self, page: &Page, fields: &[(&str, &str)]) -> End {
        let hidden = inputs(&page.html, "type=\"hidden\"");
        let mut form: Vec<(String, String)> = hidden;
        form.extend(
            fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let action = page
            .html
            .split("action=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .unwrap_or_default();
        let target = join(&page.url, &action.replace("&amp;", "&"));
        self.follow(&target, Some(form)).await
    }

    /// Returns the value of the `Cookie` header that the browser sends.
    pub fn cookies(&self) -> String {
        let pairs: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    }

    async fn follow(&mut self, start: &str, mut form: Option<Vec<(String, String)>>) -> End {
        let client = super::client();
        let mut url = start.to_owned();
        for _ in 0..10 {
            let local = url.starts_with("http://127.0.0.1:");
            if !local || self.shuns.is_some_and(|part| url.contains(part)) {
                return End::Left(url);
            }
            let origin = url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
            let request = match form.take() {
                Some(fields) => client
                    .post(&url)
                    .form(&fields)
                    .header("Origin", &origin)
                    .header("Sec-Fetch-Site", "same-origin"),
                None => client.get(&url),
            };
            let answer = request
                .header("Cookie", self.cookies())
                .send()
                .await
                .unwrap();
            self.keep(&answer);
            let Some(location) = answer.headers().get("location") else {
                return End::Page(Page {
                    status: answer.status().as_u16(),
                    url,
                    html: answer.text().await.unwrap(),
                });
            };
            url = join(&url, location.to_str().unwrap());
        }
        panic!("too many redirects from {start}");
    }

    fn keep(&mut self, answer: &reqwest::Response) {
        for line in answer.headers().get_all("set-cookie") {
            let pair = line.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
    }
}

/// Signs a user in at the bank and decides over all accounts; answers the link the user ends at.
pub async fn consent(bank: &str, user: &str, decision: Decision) -> String {
    decide(Browser::default(), bank, user, decision).await
}

/// Does what [`consent`] does up to the bank's redirect, which is not opened, and returns its address.
pub async fn consent_at_bank(bank: &str, user: &str, decision: Decision) -> String {
    let browser = Browser {
        shuns: Some("/v1/redirects/"),
        ..Browser::default()
    };
    decide(browser, bank, user, decision).await
}

async fn decide(mut browser: Browser, bank: &str, user: &str, decision: Decision) -> String {
    let End::Page(page) = browser.open(bank).await else {
        panic!("{bank} is no page")
    };
    let End::Page(page) = browser
        .submit(&page, &[("username", user), ("password", "sandbox")])
        .await
    else {
        panic!("signing in left the bank")
    };
    let accounts = inputs(&page.html, "name=\"accounts\"");
    assert!(
        page.html.contains("name=\"accounts\"") || user == "empty",
        "no consent form at {}: {}",
        page.url,
        page.html
    );
    let mut fields: Vec<(&str, &str)> = Vec::new();
    if decision == Decision::Approve {
        fields.extend(
            accounts
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
    }
    fields.push((
        "decision",
        if decision == Decision::Approve {
            "approve"
        } else {
            "refuse"
        },
    ));
    match browser.submit(&page, &fields).await {
        End::Left(link) => link,
        End::Page(page) => panic!(
            "the bank did not let go: {} {} {}",
            page.status, page.url, page.html
        ),
    }
}

/// A parameter of a link's query, percent-decoded.
pub fn query(link: &str, name: &str) -> Option<String> {
    let (_, query) = link.split_once('?')?;
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

/// Name and value of every `<input>` that carries the mark.
pub fn inputs(html: &str, mark: &str) -> Vec<(String, String)> {
    let attribute = |input: &str, name: &str| {
        let found = input
            .split(&format!("{name}=\""))
            .nth(1)?
            .split('"')
            .next()?;
        Some(found.replace("&amp;", "&"))
    };
    html.split("<input")
        .skip(1)
        .filter_map(|rest| rest.split('>').next())
        .filter(|input| input.contains(mark))
        .filter_map(|input| Some((attribute(input, "name")?, attribute(input, "value")?)))
        .collect()
}

fn join(base: &str, link: &str) -> String {
    if link.is_empty() {
        return base.to_owned();
    }
    url::Url::parse(base).unwrap().join(link).unwrap().into()
}
