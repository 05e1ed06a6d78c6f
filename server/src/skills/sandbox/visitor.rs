//! An end-user at the sandbox bank's pages, for the console's *Run all*: a browser without scripts, in the hands of a test
//! user who agrees to what is asked. It knows of the bank what its pages say, and speaks to it by HTTP alone.

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{RequestBuilder, StatusCode};
use url::Url;
use url::form_urlencoded::Serializer;

use super::SandboxError;
use crate::metrics::Metrics;
use crate::skills::connector::ConnectorError;
use crate::skills::outbound::{Outbound, ProviderResponse};

/// The button of a test user on the bank's sign-in page.
const USER: [(&str, &str); 1] = [("user", "family")];

/// Walks the bank's pages.
pub struct Visitor {
    http: Outbound,
    bank: Url,
}

impl Visitor {
    /// A visitor to the bank that is reached at this URL.
    pub fn new(bank: &str, metrics: &Metrics) -> Result<Self, SandboxError> {
        Ok(Self {
            http: Outbound::new("sandbox_visitor", metrics)?,
            bank: Url::parse(bank)?,
        })
    }

    /// Returns where the bank sends the browser of an end-user who follows `link`, signs in and agrees with what is
    /// ticked already. The link's own host may be the bank's public name: its path is what counts.
    pub async fn agree(&self, link: &str) -> Result<String, ConnectorError> {
        let link = Url::parse(link).map_err(|_| odd())?;
        let mut first = self.bank.clone();
        first.set_path(link.path());
        first.set_query(link.query());
        let begun = self.http.send(self.http.client().get(first)).await?;
        let visit = self.bank.join(&location(&begun)?).map_err(|_| odd())?;
        let cookie = cookie(&begun)?;
        let page = |end: &str| format!("{visit}{end}");
        let http = self.http.client();
        let signed_in = self
            .send(
                form(http.post(page("/sign-in")), &USER).header(COOKIE, &cookie),
                StatusCode::SEE_OTHER,
            )
            .await?;
        location(&signed_in)?;
        let asked = http.get(page("")).header(COOKIE, &cookie);
        let asked = self.send(asked, StatusCode::OK).await?;
        let ticked = ticked(&String::from_utf8_lossy(&asked.body));
        let mut fields: Vec<(&str, &str)> = ticked
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        fields.push(("decision", "approve"));
        let decided = form(http.post(page("/decision")), &fields).header(COOKIE, &cookie);
        let decided = self.send(decided, StatusCode::SEE_OTHER).await?;
        location(&decided)
    }

    async fn send(
        &self,
        request: RequestBuilder,
        wanted: StatusCode,
    ) -> Result<ProviderResponse, ConnectorError> {
        let answer = self.http.send(request).await?;
        if answer.status == wanted {
            Ok(answer)
        } else {
            Err(odd())
        }
    }
}

const fn odd() -> ConnectorError {
    ConnectorError::BadAnswer("its pages do not lead where they used to")
}

fn form(request: RequestBuilder, fields: &[(&str, &str)]) -> RequestBuilder {
    let body = Serializer::new(String::new()).extend_pairs(fields).finish();
    request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
}

fn location(answer: &ProviderResponse) -> Result<String, ConnectorError> {
    let to = answer.headers.get(LOCATION);
    let to = to.and_then(|to| to.to_str().ok());
    to.map(str::to_owned).ok_or_else(odd)
}

/// The visit's cookie, as it is sent back.
fn cookie(answer: &ProviderResponse) -> Result<String, ConnectorError> {
    let set = answer.headers.get(SET_COOKIE);
    let set = set.and_then(|set| set.to_str().ok());
    let pair = set.and_then(|set| set.split(';').next());
    pair.map(str::to_owned).ok_or_else(odd)
}

/// Names and values of the boxes that a page ticks by itself.
fn ticked(page: &str) -> Vec<(String, String)> {
    let inputs = page.split("<input ").skip(1);
    let tags = inputs.filter_map(|rest| rest.split('>').next());
    let on = tags.filter(|tag| tag.contains(" checked"));
    on.filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value")?)))
        .collect()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = tag.split_once(&format!("{name}=\""))?.1;
    start.split('"').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_ticks_is_sent_back() {
        let page = r#"<input type="checkbox" name="accounts" value="201" checked><input type="checkbox" name="accounts" value="202"><input name="username" value="">"#;
        assert_eq!(ticked(page), [("accounts".to_owned(), "201".to_owned())]);
    }
}
