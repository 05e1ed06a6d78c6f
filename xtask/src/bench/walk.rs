//! A browser, as far as the sandbox bank's plain forms need one.

use anyhow::{Result, bail};

use super::http::{Answer, Connection, request};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

/// Walks the bank's plain forms and follows redirects until one leaves the web.
pub fn consent(start: &str, user: &str) -> Result<String> {
    let mut cookies = Cookies::default();
    let mut page = follow(&mut cookies, start, "GET", "")?;
    for _ in 0..4 {
        let Landing::Page { url, html } = page else {
            break;
        };
        let form = if html.contains("name=\"password\"") {
            format!("username={user}&password=sandbox")
        } else {
            // All accounts are shared; a payment is paid from the first that can.
            let ticked = values_of(&html, "accounts").map(|id| format!("accounts={id}&"));
            let chosen = values_of(&html, "account").map(|id| format!("account={id}&"));
            ticked.chain(chosen.take(1)).collect::<String>() + "decision=approve"
        };
        let action = html
            .split("action=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        let target = absolute(
            &url,
            action.unwrap_or_default().replace("&amp;", "&").as_str(),
        );
        let hidden = html
            .split("type=\"hidden\"")
            .skip(1)
            .filter_map(|input| Some((name_of(input)?, value_of(input)?)));
        let hidden: String = hidden
            .map(|(name, value)| format!("{name}={value}&"))
            .collect();
        page = follow(&mut cookies, &target, "POST", &(hidden + &form))?;
    }
    match page {
        Landing::Left(link) => Ok(link),
        Landing::Page { url, html } => bail!("the bank did not let go at {url}: {html}"),
    }
}

enum Landing {
    Page { url: String, html: String },
    Left(String),
}

#[derive(Default)]
struct Cookies(Vec<(String, String)>);

impl Cookies {
    fn keep(&mut self, answer: &Answer) {
        for (_, line) in answer
            .headers
            .iter()
            .filter(|(name, _)| name == "set-cookie")
        {
            if let Some((name, value)) =
                line.split(';').next().and_then(|pair| pair.split_once('='))
            {
                self.0.retain(|(known, _)| known != name);
                self.0.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    fn line(&self) -> String {
        self.0
            .iter()
            .map(|(name, value)| format!("{name}={value}; "))
            .collect()
    }
}

fn follow(cookies: &mut Cookies, start: &str, method: &str, body: &str) -> Result<Landing> {
    let (mut url, mut method, mut body) = (start.to_owned(), method, body);
    for _ in 0..8 {
        let Some(rest) = url.strip_prefix("http://") else {
            return Ok(Landing::Left(url));
        };
        let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let origin = format!("http://{host}");
        let line = cookies.line();
        let headers = [
            FORM,
            ("Cookie", line.as_str()),
            ("Origin", origin.as_str()),
            ("Sec-Fetch-Site", "same-origin"),
        ];
        let answer = Connection::open(host)?.call(&request(method, host, path, &headers, body))?;
        cookies.keep(&answer);
        let Some(location) = answer.header("location") else {
            return Ok(Landing::Page {
                url,
                html: String::from_utf8_lossy(&answer.body).into_owned(),
            });
        };
        url = absolute(&url, location);
        (method, body) = ("GET", "");
    }
    bail!("too many redirects from {start}")
}

fn absolute(base: &str, link: &str) -> String {
    if link.is_empty() {
        base.to_owned()
    } else if link.starts_with('/') {
        let end = base
            .match_indices('/')
            .nth(2)
            .map_or(base.len(), |(at, _)| at);
        base.get(..end).unwrap_or(base).to_owned() + link
    } else {
        link.to_owned()
    }
}

/// The values of the inputs of a name.
fn values_of<'a>(html: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let inputs: Vec<&str> = html.split(&format!("name=\"{name}\"")).skip(1).collect();
    inputs.into_iter().filter_map(value_of)
}

fn value_of(after: &str) -> Option<&str> {
    after
        .split('>')
        .next()?
        .split("value=\"")
        .nth(1)?
        .split('"')
        .next()
}

fn name_of(after: &str) -> Option<&str> {
    after
        .split('>')
        .next()?
        .split("name=\"")
        .nth(1)?
        .split('"')
        .next()
}
