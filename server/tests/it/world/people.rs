//! People at the portal: forms sent as its own pages would send them, and who signs up how.

use serde_json::Value;

use super::World;
use super::browser::{Browser, End, Page};

/// Everybody's, in tests.
pub const PASSWORD: &str = "kumquat lamps over gravel";

/// Opens a page that must not lead elsewhere.
pub async fn see(browser: &mut Browser, url: &str) -> Page {
    match browser.open(url).await {
        End::Page(page) => page,
        End::Left(link) => panic!("{url} led to {link}"),
    }
}

/// Sends a form; answers the page it leads to.
pub async fn fill_in(browser: &mut Browser, url: &str, fields: &[(&str, &str)]) -> Page {
    let page = Page {
        status: 200,
        url: url.to_owned(),
        html: String::new(),
    };
    match browser.submit(&page, fields).await {
        End::Page(page) => page,
        End::Left(link) => panic!("{url} led to {link}"),
    }
}

/// The first tenant that a page leads to.
pub fn tenant_in(html: &str) -> String {
    let links = html.split("/tenants/").skip(1);
    let mut ids = links.filter_map(|rest| rest.get(..36));
    let found = ids.find(|id| uuid::Uuid::try_parse(id).is_ok());
    found
        .unwrap_or_else(|| panic!("no tenant in {html}"))
        .to_owned()
}

impl World {
    /// A servicer made by an operator, with the first who signed up for it: its owner.
    pub async fn servicer_with_owner(&self) -> (String, Browser) {
        let create = [
            "servicer",
            "create",
            "--name",
            "First Ltd",
            "--kind",
            "consumer",
        ];
        let servicer: Value = self.operator(&create).await;
        let text = |name: &str| servicer[name].as_str().unwrap();
        let mut owner = Browser::default();
        let form = [
            ("servicer_id", text("servicer_id")),
            ("claim_token", text("claim_token")),
            ("email", "owner@example.com"),
            ("password", PASSWORD),
        ];
        let page = fill_in(&mut owner, &self.api("/signup"), &form).await;
        assert!(
            page.url.ends_with("/overview"),
            "{}: {}",
            page.url,
            page.html
        );
        self.confirm(&mut owner, "owner@example.com").await;
        (text("servicer_id").to_owned(), owner)
    }

    /// Confirms the address of somebody signed in, by the link in the last letter to it.
    pub async fn confirm(&self, browser: &mut Browser, email: &str) {
        let path = self.mailed(email, "/verify/", 1).await;
        let page = fill_in(browser, &self.api(&path), &[]).await;
        assert!(
            page.url.ends_with("/settings?done=verified"),
            "{}",
            page.url
        );
    }

    /// The path in the `nth` letter with a link of a kind to an address, counted from 1: waits until it is there.
    pub async fn mailed(&self, email: &str, kind: &str, nth: usize) -> String {
        for _ in 0..500 {
            let letters = self.letters(email);
            let mut of_kind = letters.iter().filter(|text| text.contains(kind));
            if let Some(letter) = of_kind.nth(nth - 1) {
                let (_, token) = letter.split_once(kind).unwrap();
                let token = token.split_whitespace().next().unwrap();
                return format!("{kind}{token}");
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("no letter with {kind} went to {email}");
    }

    /// The letters to an address, the oldest first.
    pub fn letters(&self, email: &str) -> Vec<String> {
        let to = format!("To: {email}");
        let folder = std::fs::read_dir(self.folder.join("mail"));
        let files = folder.into_iter().flatten().filter_map(Result::ok);
        let mut files: Vec<_> = files.map(|file| file.path()).collect();
        files.sort();
        let texts = files
            .iter()
            .filter_map(|path| std::fs::read_to_string(path).ok());
        texts.filter(|text| text.contains(&to)).collect()
    }

    /// A new servicer through the one form; answers its owner.
    pub async fn start(&self, email: &str) -> Browser {
        let mut owner = Browser::default();
        let form = [
            ("name", "Example Ltd"),
            ("email", email),
            ("password", PASSWORD),
            ("legal_form", "company"),
            ("country", "RO"),
        ];
        let page = fill_in(&mut owner, &self.api("/start"), &form).await;
        assert!(page.html.contains("tsr_sbx_cs_"), "{}", page.html);
        owner
    }

    /// An operator of the installation.
    pub async fn admin(&self, email: &str) -> Browser {
        let made = self.operator(&["admin", "create", "--email", email]).await;
        let mut browser = Browser::default();
        // The link is built from the configured address, which in tests is not where the server is.
        let url = made["password_url"].as_str().unwrap();
        let path = url.splitn(4, '/').nth(3).unwrap();
        fill_in(
            &mut browser,
            &self.api(&format!("/{path}")),
            &[("password", PASSWORD)],
        )
        .await;
        browser
    }
}
