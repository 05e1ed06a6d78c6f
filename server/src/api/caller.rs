//! The API as the sandbox console calls it: inside the process, through the router that serves everybody.

use app::domain::ids::RequestId;
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, header};
use tower::ServiceExt as _;

use crate::http::request_head::REQUEST_ID;
use crate::services::portal::console::{ApiAnswer, ApiCall, ApiCallError, ApiCaller};

const USER_AGENT: &str = "sandbox console";

#[async_trait]
impl ApiCaller for Router {
    async fn call(&self, call: ApiCall<'_>, longest: usize) -> Result<ApiAnswer, ApiCallError> {
        let failed = |error: axum::Error| ApiCallError(error.to_string());
        let request = request(call).map_err(|error| ApiCallError(error.to_string()))?;
        let answer = match self.clone().oneshot(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        let status = answer.status().as_u16();
        let request = text(answer.headers(), REQUEST_ID.as_str());
        let request = request.and_then(|id| id.parse::<RequestId>().ok());
        let location = text(answer.headers(), header::LOCATION.as_str()).map(str::to_owned);
        let body = axum::body::to_bytes(answer.into_body(), longest);
        Ok(ApiAnswer {
            status,
            request,
            location,
            body: body.await.map_err(failed)?,
        })
    }
}

fn request(call: ApiCall<'_>) -> Result<Request<Body>, axum::http::Error> {
    let Some(posted) = call.posted else {
        return Request::get(call.path)
            .header(header::USER_AGENT, USER_AGENT)
            .body(Body::empty());
    };
    Request::post(call.path)
        .header(header::CONTENT_TYPE, posted.media)
        .header(header::USER_AGENT, USER_AGENT)
        .extension(posted.grant)
        .body(posted.bytes.into())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
