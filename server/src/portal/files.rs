//! The built files: styles, islands, public files and the SDK, from the folder that `cargo xtask build` fills.

use std::path::{Path, PathBuf};

use app::pages::Assets;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get_service;
use tower_http::services::ServeDir;

use crate::config::Config;

/// Names of built files hold a digest of their content: they never change.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const FOR_A_WHILE: HeaderValue = HeaderValue::from_static("public, max-age=300");
const ANYBODY: HeaderValue = HeaderValue::from_static("*");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");
const CROSS_ORIGIN: HeaderValue = HeaderValue::from_static("cross-origin");
const TYPESCRIPT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const MANIFEST: &str = "assets.json";

/// The folder of the settings, or `site` beside the program.
pub fn folder(config: &Config) -> PathBuf {
    if !config.http.site_dir.is_empty() {
        return PathBuf::from(&config.http.site_dir);
    }
    let program = std::env::current_exe().unwrap_or_default();
    program.with_file_name("site")
}

/// The names of the day; without them pages have no style, which is said once.
pub fn assets(folder: &Path) -> Option<Assets> {
    let path = folder.join("pkg").join(MANIFEST);
    let assets = std::fs::read_to_string(&path)
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok());
    if assets.is_none() {
        tracing::warn!(
            path = %path.display(),
            "the portal's files are not built: pages have no styles. Run `cargo xtask build`, or set http.site_dir."
        );
    }
    assets
}

/// Built files under `/pkg`, the SDK under `/sdk`, public files at the root, and the pages for everything else.
pub fn router(folder: &Path, pages: Router) -> Router {
    let built = ServeDir::new(folder.join("pkg"))
        .append_index_html_on_directories(false)
        .precompressed_br()
        .precompressed_gzip();
    let built = Router::new()
        .fallback_service(built)
        .layer(middleware::from_fn(kept_for_ever));
    let sdk = ServeDir::new(folder.join("sdk"))
        .append_index_html_on_directories(false)
        .precompressed_br();
    let sdk = Router::new()
        .fallback_service(sdk)
        .layer(middleware::from_fn(for_any_origin));
    let mut files = Router::new().nest("/pkg", built).nest("/sdk", sdk);
    for name in public_files(folder) {
        let file = ServeDir::new(folder).append_index_html_on_directories(false);
        let file = get_service(file).layer(middleware::from_fn(kept_for_a_while));
        files = files.route(&format!("/{name}"), file);
    }
    files.merge(pages)
}

/// The plain files at the top of the folder: `robots.txt`, icons. Each gets a route of its own, so that no path is
/// looked up on disk that is not known to be there.
fn public_files(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let plain = |name: &String| {
        name.bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
            && !name.starts_with('.')
    };
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(plain)
        .collect()
}

async fn kept_for_ever(request: Request, next: Next) -> Response {
    let hashed = !request.uri().path().ends_with(MANIFEST);
    let keep = if hashed { FOR_EVER } else { FOR_A_WHILE };
    kept(next.run(request).await, keep)
}

async fn kept_for_a_while(request: Request, next: Next) -> Response {
    kept(next.run(request).await, FOR_A_WHILE)
}

/// The SDK is loaded by pages of tenants. It has no name that changes with it: browsers ask by its `ETag`.
async fn for_any_origin(request: Request, next: Next) -> Response {
    let types = request.uri().path().ends_with(".d.ts");
    let mut response = kept(next.run(request).await, FOR_A_WHILE);
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANYBODY);
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, CROSS_ORIGIN);
    if types && headers.contains_key(header::CONTENT_TYPE) {
        // By its ending it would be a video.
        headers.insert(header::CONTENT_TYPE, TYPESCRIPT);
    }
    response
}

fn kept(mut response: Response, keep: HeaderValue) -> Response {
    let there = response.status().is_success() || response.status().as_u16() == 304;
    if there {
        response.headers_mut().insert(header::CACHE_CONTROL, keep);
    }
    response
}
