//! JSON Schema: where a reference leads (JSON Schema Core 2020-12, section 8.2.3.1; JSON Pointer, RFC 6901).

use serde_json::Value;

/// Returns what the `$ref` of a schema points at in its document, with the last part of the pointer, which is the name in
/// a document of OpenAPI. `None` if the schema is no reference, or one that leads out of the document or nowhere.
pub fn referenced<'a>(schema: &'a Value, document: &'a Value) -> Option<(&'a str, &'a Value)> {
    let pointer = schema.get("$ref")?.as_str()?.strip_prefix('#')?;
    let name = pointer.rsplit('/').next().unwrap_or_default();
    document.pointer(pointer).map(|found| (name, found))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reference_is_followed_within_its_document() {
        let document = json!({ "components": { "schemas": { "Account": { "type": "object" } } } });
        let to = |target: &str| json!({ "$ref": target });
        let account = to("#/components/schemas/Account");
        let found = referenced(&account, &document);
        assert_eq!(found, Some(("Account", &json!({ "type": "object" }))));
        for nowhere in [
            "#/components/schemas/None",
            "other.json#/Account",
            "Account",
        ] {
            assert_eq!(referenced(&to(nowhere), &document), None, "{nowhere}");
        }
        assert_eq!(referenced(&json!({ "type": "object" }), &document), None);
    }
}
