//! A person's browser at the portal, without a network: it sends forms, and keeps no cookie by itself.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Response;
use tower::ServiceExt as _;

use super::{PASSWORD, World};

/// Origin of the portal's own pages.
const OWN: &str = "http://127.0.0.1:3000";

pub struct Browser {
    pub world: World,
    router: Router,
}

impl Browser {
    pub fn of(world: World) -> Self {
        let router = world.portal();
        Self { world, router }
    }

    pub async fn send(&self, request: Request) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub async fn get(&self, path: &str, cookie: &str) -> Response<Body> {
        let request = Request::get(path).header("cookie", cookie);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Sends a form of the portal's own.
    pub async fn post(&self, path: &str, cookie: &str, form: &str) -> Response<Body> {
        let request = Request::post(path)
            .header("cookie", cookie)
            .header("origin", OWN)
            .header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(form.to_owned())).unwrap())
            .await
    }

    /// Fills in the one form of a new servicer; returns the page and the cookie.
    pub async fn start(&self, planted: &str) -> (Response<Body>, String) {
        let password = PASSWORD.replace(' ', "+");
        let form = format!(
            "name=Example+Ltd&email=ana%40example.com&password={password}&legal_form=company&country=RO"
        );
        let answer = self.post(app::links::START, planted, &form).await;
        let cookie = cookie_of(&answer).expect("a session cookie");
        (answer, cookie)
    }
}

/// Returns a header's value; an empty one if there is none.
pub fn header(answer: &Response<Body>, name: &str) -> String {
    let value = answer.headers().get(name);
    value.map_or(String::new(), |value| value.to_str().unwrap().to_owned())
}

/// Returns the session's `name=value`, if the answer sets it to something.
pub fn cookie_of(answer: &Response<Body>) -> Option<String> {
    let cookies = answer.headers().get_all("set-cookie").iter();
    let pairs = cookies.map(|value| value.to_str().unwrap().split(';').next().unwrap());
    pairs
        .filter(|pair| pair.starts_with("tessera=") && pair.len() > "tessera=".len())
        .map(str::to_owned)
        .next()
}

pub async fn text(answer: Response<Body>) -> String {
    let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX).await;
    String::from_utf8(bytes.unwrap().to_vec()).unwrap()
}
