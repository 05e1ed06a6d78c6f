use super::*;
use Environment::*;

fn refused(link: &str) -> LinkError {
    RedirectLink::parse(link, Sandbox).expect_err(link)
}

#[test]
fn web_loopback_and_custom_links_are_accepted_byte_for_byte() {
    for link in [
        "https://app.example.com/return?x=1",
        "https://app.example.com/return?x=%20a%2Bb&statement=1&my_state=2&=c&&*",
        "https://APP.example.com:443/return/",
        "http://127.0.0.1:8080/cb",
        "http://127.0.0.2/cb",
        "http://[::1]/cb",
        "http://localhost/cb",
        "http://app.localhost/cb",
        "myapp://return",
        "com.example.app:/oauth",
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "vscode://example.extension/done",
        "vscode-insiders://example.extension/done",
        "web+myapp://return",
    ] {
        let parsed = RedirectLink::parse(link, Sandbox);
        assert_eq!(parsed.as_ref().map(RedirectLink::as_str), Ok(link));
    }
}

#[test]
fn dangerous_links_are_refused_with_a_reason() {
    let cases = [
        ("http://app.example.com/", LinkError::PlainHttp),
        ("http://127.0.0.1.example.com/", LinkError::PlainHttp),
        ("http://localhost.example.com/", LinkError::PlainHttp),
        ("http://.localhost/", LinkError::PlainHttp),
        ("http://127.1/", LinkError::PlainHttp),
        ("http://128.0.0.1/", LinkError::PlainHttp),
        ("https://app.example.com/#x", LinkError::Fragment),
        ("myapp://return#", LinkError::Fragment),
        ("https://ana@app.example.com/", LinkError::UserInfo),
        ("https://ana:secret@app.example.com/", LinkError::UserInfo),
        ("myapp://ana@return", LinkError::UserInfo),
        ("https://*.example.com/cb", LinkError::Wildcard),
        ("https://app.example.com/*", LinkError::Wildcard),
        ("myapp://*", LinkError::Wildcard),
        ("https:///path", LinkError::NotALink),
        ("/path", LinkError::NotALink),
        ("app.example.com/return", LinkError::NotALink),
        ("https://bücher.example/", LinkError::Character),
        (
            "https://app.example.com/\r\nSet-Cookie: x",
            LinkError::Character,
        ),
    ];
    for (link, why) in cases {
        assert_eq!(refused(link), why, "{link}");
    }
    assert_eq!(
        RedirectLink::parse("http://127.0.0.1/", Production),
        Err(LinkError::PlainHttp)
    );
}

#[test]
fn what_opens_other_programs_or_means_something_else_is_refused() {
    for link in [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "vbscript:x",
        "data:text/html,x",
        "blob:https://e.example/x",
        "file:///etc/passwd",
        "intent://x#Intent;end".trim_end_matches("#Intent;end"),
        "ms-msdt:/id",
        "MS-MSDT:/id",
        "ms-settings:x",
        "ms-appinstaller:?source=x",
        "search-ms:query=x",
        "itms-services://?action=x",
        "itms-apps://x",
        "mailto:a@example.com",
        "tel:112",
        "sms:112",
        "jar:https://e.example!/",
        "filesystem:https://e.example/x",
        "ftp://e.example/x",
        "ws://e.example/x",
        "wss://e.example/x",
        "chrome-extension://a/b",
        "moz-extension://a/b",
        "view-source:https://e.example",
        "about:blank",
        "ssh://e.example",
        "magnet:?xt=x",
        "bitcoin:x",
        "steam://run/1",
        "shortcuts://run",
        "android-app://x",
        "x-apple.systempreferences:x",
        "urn:x:y",
        "web+ap://x",
    ] {
        assert_eq!(refused(link), LinkError::Scheme, "{link}");
    }
}

#[test]
fn a_name_that_the_return_adds_is_refused_however_it_is_spelled() {
    for name in RESERVED {
        let link = format!("https://app.example.com/return?x=1&{name}=fake&y=2");
        let why = refused(&link);
        assert_eq!(why, LinkError::Reserved(name));
        assert!(why.to_string().contains(name), "{why}");
    }
    for query in [
        "state",
        "state=",
        "%73tate=web",
        "%73%74%61%74%65",
        "s%74ate=1",
        "STATE=1",
        "state[]=1",
        "state%5B%5D=1",
        "+state=1",
        "x=1;state=2",
    ] {
        for link in ["https://app.example.com/return", "myapp://return", "myapp:"] {
            assert_eq!(
                refused(&format!("{link}?{query}")),
                LinkError::Reserved("state"),
                "{link}?{query}"
            );
        }
    }
    assert_eq!(
        refused("https://app.example.com/?temp.token=1"),
        LinkError::Reserved("temp_token")
    );
    // Only names: what they are given, and paths, are the app's own.
    for link in [
        "https://app.example.com/state?x=state",
        "https://app.example.com/temp_token/error?go=%3Fstate%3D1",
        "https://app.example.com/return?%=1&%7=2&%zz=3",
    ] {
        assert!(RedirectLink::parse(link, Sandbox).is_ok(), "{link}");
    }
}

#[test]
fn only_the_port_of_a_loopback_link_may_differ() {
    let link = |text| RedirectLink::parse(text, Sandbox).unwrap();
    assert!(link("http://127.0.0.1/cb").matches("http://127.0.0.1:51004/cb"));
    assert!(link("http://127.0.0.2:1/cb").matches("http://127.0.0.2:51004/cb"));
    assert!(link("http://app.localhost/cb").matches("http://app.localhost:51004/cb"));
    assert!(!link("http://127.0.0.1/cb").matches("http://127.0.0.2:51004/cb"));
    assert!(!link("http://127.0.0.1/cb").matches("http://localhost:51004/cb"));
    assert!(!link("http://127.0.0.1/cb").matches("http://127.0.0.1:51004/other"));
    assert!(!link("http://127.0.0.1/cb").matches("http://127.0.0.1:99999/cb"));
    assert!(!link("http://127.0.0.1/cb").matches("http://127.0.0.1:80@evil.example/cb"));
    assert!(!link("https://app.example.com/cb").matches("https://app.example.com:444/cb"));
    assert!(!link("https://app.example.com/cb").matches("https://app.example.com/cb/"));
}

#[test]
fn a_port_is_one_that_a_browser_opens() {
    let port = |text: &str| RedirectLink::parse(text, Environment::Sandbox);
    for text in [
        "https://a.example:0/x",
        "https://a.example:99999/x",
        "https://a.example:/x",
        "https://a.example:80a/x",
        "https://[::1]:x/y",
        "http://localhost:65536/x",
    ] {
        assert_eq!(port(text), Err(LinkError::Port), "{text}");
    }
    for text in [
        "https://a.example:8443/x",
        "https://a.example/x",
        "http://[::1]:3000/x",
        "myapp://return:99999/x",
    ] {
        assert!(port(text).is_ok(), "{text}");
    }
}
