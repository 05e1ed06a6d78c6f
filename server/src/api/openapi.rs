//! What the OpenAPI says beyond single operations: its head, and the answers every operation may give.

use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{ContentBuilder, Ref, ResponseBuilder};

use crate::problem::Body;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tessera API",
        description = "One API over many banks, insurers and marketplaces. Requests are strict: unknown fields are refused. Answers are open: expect new fields.",
        license(name = "Apache-2.0 OR MIT", identifier = "Apache-2.0 OR MIT")
    ),
    components(schemas(Body<'static>)),
    tags(
        (name = "catalog", description = "Which skills there are and what their steps take"),
        (name = "health", description = "For load balancers"),
    )
)]
struct Head;

/// The document without its operations.
pub fn head() -> utoipa::openapi::OpenApi {
    Head::openapi()
}

/// The whole document: every operation may also answer with the error object.
pub fn finished(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    for item in document.paths.paths.values_mut() {
        for operation in [
            &mut item.get,
            &mut item.post,
            &mut item.put,
            &mut item.delete,
        ]
        .into_iter()
        .flatten()
        {
            add_error(operation);
        }
    }
    document
}

fn add_error(operation: &mut Operation) {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Error")))
        .build();
    let response = ResponseBuilder::new()
        .description("Every error is this object; `code` is from the catalogue.")
        .content("application/json", content)
        .build();
    operation
        .responses
        .responses
        .entry("default".to_owned())
        .or_insert(response.into());
}
