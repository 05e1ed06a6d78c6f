//! The console's run page, form by form, against the real API and the real bank's counter: a card, whose steps take files.

use reqwest::Response;

use crate::world::browser::Browser;
use crate::world::people::see;
use crate::world::{Database, World, client, on_both};

on_both!(
    a_card_is_taken_out_with_the_consoles_forms,
    files_are_taken_by_whom_they_belong_to_alone
);

const CARD: &str = "xyz_card_sbx_#1.0";

/// A person at a run's page.
struct Run<'w> {
    world: &'w World,
    browser: Browser,
    path: String,
    calls: usize,
}

impl<'w> Run<'w> {
    /// A new account, with a run of the card on its first tenant; the session is open.
    async fn begin(world: &'w World, email: &str) -> Self {
        let mut browser = world.start(email).await;
        let page = see(&mut browser, &world.api("/console")).await;
        let value = page
            .html
            .split("<option value=\"")
            .filter_map(|rest| rest.split('"').next())
            .find(|value| value.ends_with(CARD));
        let form = [("on", value.unwrap())];
        let answer = sent(world, &browser, "/console", &form).await;
        let path = answer.headers()["location"].to_str().unwrap().to_owned();
        Self {
            world,
            browser,
            path,
            calls: 1,
        }
    }

    async fn html(&mut self) -> String {
        see(&mut self.browser, &self.world.api(&self.path))
            .await
            .html
    }

    /// Sends a form of the page that makes a call; answers the page after it.
    async fn send(&mut self, fields: &[(&str, &str)]) -> String {
        let at = self.calls.to_string();
        let mut form = vec![("at", at.as_str())];
        form.extend_from_slice(fields);
        let answer = sent(self.world, &self.browser, &self.path, &form).await;
        assert_eq!(answer.status(), 303, "{fields:?}");
        self.calls += 1;
        self.html().await
    }

    async fn sample(&mut self, kind: &str) -> String {
        let fields = [("act", "upload"), ("kind", kind), ("sample", "yes")];
        self.send(&fields).await
    }

    /// Sends a file as browsers send forms (RFC 7578); the answer itself.
    async fn file(&self, kind: &str, bytes: &[u8], cookies: &str) -> Response {
        let mut body = Vec::new();
        let at = self.calls.to_string();
        for (name, value) in [("act", "upload"), ("at", at.as_str()), ("kind", kind)] {
            let part = format!(
                "--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            );
            body.extend_from_slice(part.as_bytes());
        }
        let head = "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"mine.pdf\"\r\n\r\n";
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n--edge--\r\n");
        client()
            .post(self.world.api(&self.path))
            .header("Cookie", cookies)
            .header("Sec-Fetch-Site", "same-origin")
            .header("Content-Type", "multipart/form-data; boundary=edge")
            .body(body)
            .send()
            .await
            .unwrap()
    }
}

async fn sent(world: &World, browser: &Browser, path: &str, form: &[(&str, &str)]) -> Response {
    client()
        .post(world.api(path))
        .header("Cookie", browser.cookies())
        .header("Sec-Fetch-Site", "same-origin")
        .form(form)
        .send()
        .await
        .unwrap()
}

async fn a_card_is_taken_out_with_the_consoles_forms(database: Database) {
    let world = World::own(database).await;
    let mut run = Run::begin(&world, "owner@example.com").await;
    assert!(
        run.html()
            .await
            .contains("name=\"data.limit\" value=\"5000\"")
    );
    let step = |rest: &[(&'static str, &'static str)]| {
        let mut form = vec![("act", "advance"), ("shape", "form")];
        form.extend_from_slice(rest);
        form
    };
    let wrong = step(&[("data.limit", "much"), ("data.currency", "RON")]);
    let page = run.send(&wrong).await;
    assert!(
        page.contains("id=\"data.limit-error\"") && page.contains("value=\"much\""),
        "{page}"
    );
    let right = step(&[("data.limit", "7500"), ("data.currency", "RON")]);
    let page = run.send(&right).await;
    assert!(page.contains("Files of step"), "{page}");

    // A file of no use is refused in words, and another one taken.
    let cookies = run.browser.cookies();
    assert_eq!(
        run.file("payslip", b"no document", &cookies).await.status(),
        303
    );
    run.calls += 1;
    let page = run.html().await;
    assert!(
        page.contains("role=\"alert\"") && page.contains("PDF, PNG, JPEG"),
        "{page}"
    );
    assert_eq!(
        run.file("payslip", b"%PDF-1.7\nmine", &cookies)
            .await
            .status(),
        303
    );
    run.calls += 1;
    let page = run.html().await;
    assert!(
        page.contains("name=\"data.first_name\"") && page.contains("13 B"),
        "{page}"
    );

    let person = step(&[
        ("data.first_name", "Ana"),
        ("data.last_name", "Example"),
        ("data.date_of_birth", "1990-05-17"),
        ("data.accept", "on"),
    ]);
    run.send(&person).await;
    run.sample("selfie").await;
    let page = run.sample("id_document").await;
    assert!(
        page.contains("Next: Exchange token") || page.contains("Send POST /v1/token"),
        "{page}"
    );
    run.send(&[("act", "advance")]).await;
    let page = run.send(&[("act", "advance")]).await;
    assert!(
        page.contains("7,500") && page.contains("Done: the product is there"),
        "{page}"
    );
    assert!(!page.contains("tsr_sbx_cs_"), "no secret is in the page");

    let answer = sent(&world, &run.browser, &run.path, &[("act", "again")]).await;
    let fresh = answer.headers()["location"].to_str().unwrap().to_owned();
    assert_ne!(fresh, run.path);
    run.path = fresh;
    let page = run.html().await;
    assert!(
        page.contains("name=\"data.limit\" value=\"7500\""),
        "what was typed is kept: {page}"
    );
}

async fn files_are_taken_by_whom_they_belong_to_alone(database: Database) {
    let world = World::own(database).await;
    let run = Run::begin(&world, "owner@example.com").await;
    let other = world.start("other@example.com").await;
    let foreign = run.file("payslip", b"%PDF-1.7\n", &other.cookies()).await;
    assert_eq!(foreign.status(), 404);
    let nobody = run.file("payslip", b"%PDF-1.7\n", "").await;
    assert!(
        nobody.headers()["location"]
            .to_str()
            .unwrap()
            .starts_with("/signin")
    );
    let large = vec![b'x'; 11 << 20];
    let large = run.file("payslip", &large, &run.browser.cookies()).await;
    assert_eq!(large.status(), 413);
    assert!(large.text().await.unwrap().contains("larger than 10 MiB"));
    // A screen that takes no files is asked for none.
    let elsewhere = Run {
        path: "/console".into(),
        ..run
    };
    let refused = elsewhere
        .file("payslip", b"%PDF-1.7\n", &elsewhere.browser.cookies())
        .await;
    assert_eq!(refused.status(), 415);
}
