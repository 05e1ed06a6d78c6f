//! Every skill and the connector that runs it; step data is checked here, against the manifest's schema.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use app::domain::skill::{SkillManifest, SkillName, SkillStep};
use app::domain::tenant::Environment;
use app::domain::zone::Zone;
use chrono::{DateTime, NaiveDate, Utc};
use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value;

use super::connector::Connector;

/// Manifests that ship with the server; a skill of a connector that exists is one more line and one more file.
const SHIPPED: &[&str] = &[
    include_str!("manifests/xyz_aisp_sbx.json"),
    include_str!("manifests/xyz_card_sbx.json"),
    include_str!("manifests/xyz_pisp_sbx.json"),
    include_str!("manifests/xyz_sbx.json"),
];

/// The longest session, in minutes (docs/API.md, "Sessions").
const LONGEST_SESSION: i64 = 24 * 60;

/// Connectors by the name manifests use.
pub type Connectors = HashMap<String, Arc<dyn Connector>>;

/// Every skill, published or not. Made once at start; cheap to clone. The default has none.
#[derive(Clone, Default)]
pub struct Registry(Arc<Inner>);

#[derive(Default)]
struct Inner {
    by_name: BTreeMap<SkillName, PublishedSkill>,
    connectors: Connectors,
}

/// One published name and the manifest behind it.
#[derive(Clone)]
pub struct PublishedSkill {
    pub name: SkillName,
    pub manifest: Arc<SkillManifest>,
    /// `true` if everybody may see it; otherwise administrators, and tenants with it on their whitelist.
    pub published: bool,
    checks: Arc<HashMap<String, Validator>>,
}

/// A manifest that cannot be published.
#[derive(Debug, thiserror::Error)]
#[error("skill manifest {skill}: {why}")]
pub struct ManifestError {
    pub skill: String,
    pub why: String,
}

/// One thing wrong with a step's data. Never carries the value itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFault {
    /// `data.psu_redirect_link`, `data.payment_info[0].amount`.
    pub path: String,
    /// `missing`, `unknown`, `type`, `length`, `range`, `choice`, `format` or `invalid`.
    pub code: &'static str,
    /// A sentence for the developer.
    pub message: String,
}

impl Registry {
    /// The manifests that ship with the server.
    pub fn shipped() -> Result<Vec<SkillManifest>, ManifestError> {
        SHIPPED
            .iter()
            .map(|text| {
                serde_json::from_str(text).map_err(|error| ManifestError {
                    skill: text.chars().take(60).collect(),
                    why: error.to_string(),
                })
            })
            .collect()
    }

    /// Publishes manifests, after checking each: schemas compile and accept their examples, names are unique and of
    /// one flavour, the connector exists.
    pub fn with(
        manifests: Vec<SkillManifest>,
        connectors: Connectors,
    ) -> Result<Self, ManifestError> {
        let mut by_name = BTreeMap::new();
        for manifest in manifests {
            let label = manifest
                .names
                .first()
                .map_or_else(|| manifest.title.clone(), SkillName::to_string);
            let fail = |why: String| ManifestError {
                skill: label.clone(),
                why,
            };
            check(&manifest, &connectors).map_err(fail)?;
            let checks = Arc::new(compile(&manifest).map_err(fail)?);
            let manifest = Arc::new(manifest);
            for name in &manifest.names {
                let skill = PublishedSkill {
                    name: name.clone(),
                    manifest: manifest.clone(),
                    published: manifest.published,
                    checks: checks.clone(),
                };
                if by_name.insert(name.clone(), skill).is_some() {
                    return Err(fail(format!("the name {name} is published twice")));
                }
            }
        }
        Ok(Self(Arc::new(Inner {
            by_name,
            connectors,
        })))
    }

    /// Returns the registry with these skills unpublished. Their sessions and consents go on. Fails if there is no such
    /// skill.
    pub fn withholding(self, names: &[String]) -> Result<Self, ManifestError> {
        let mut by_name = self.0.by_name.clone();
        for text in names {
            let name = SkillName::parse(text).ok();
            let skill = name.and_then(|name| by_name.get_mut(&name));
            let skill = skill.ok_or_else(|| ManifestError {
                skill: text.clone(),
                why: "skills.unpublished names it, and there is no such skill".into(),
            })?;
            skill.published = false;
        }
        Ok(Self(Arc::new(Inner {
            by_name,
            connectors: self.0.connectors.clone(),
        })))
    }

    /// The skill of a name, published or not.
    pub fn get(&self, name: &SkillName) -> Option<&PublishedSkill> {
        self.0.by_name.get(name)
    }

    /// Every published skill, by its name.
    pub fn all(&self) -> impl Iterator<Item = &PublishedSkill> {
        self.known().filter(|skill| skill.published)
    }

    /// Every skill, published or not, by its name.
    pub fn known(&self) -> impl Iterator<Item = &PublishedSkill> {
        self.0.by_name.values()
    }

    /// The connector that runs a manifest; there is one for every published manifest.
    pub fn connector(&self, manifest: &SkillManifest) -> Option<Arc<dyn Connector>> {
        self.0.connectors.get(&manifest.connector).cloned()
    }
}

impl PublishedSkill {
    /// The calendar day at its provider.
    pub fn day(&self, at: DateTime<Utc>) -> NaiveDate {
        self.manifest.time_zone.unwrap_or(Zone::UTC).day(at)
    }

    /// Checks a step's data; empty if it is right. A step the manifest does not know takes nothing.
    pub fn check(&self, step: &str, data: &Value) -> Vec<DataFault> {
        let Some(validator) = self.checks.get(step) else {
            return vec![DataFault {
                path: "step".into(),
                code: "choice",
                message: format!("{} has no step of this name.", self.name),
            }];
        };
        let steps = &self.manifest.steps;
        let schema = steps.iter().find(|known| known.name == step);
        let schema = schema.map_or(&Value::Null, |known| &known.schema);
        let errors = validator.iter_errors(data);
        errors.flat_map(|error| faults(&error, schema)).collect()
    }
}

fn check(manifest: &SkillManifest, connectors: &Connectors) -> Result<(), String> {
    let Some(first) = manifest.names.first() else {
        return Err("has no name".into());
    };
    let flavour = first.environment();
    let code = |name: &SkillName| name.as_str().split('_').next() == Some(&manifest.provider.code);
    if manifest
        .names
        .iter()
        .any(|name| name.environment() != flavour)
    {
        return Err("names of both flavours".into());
    }
    if !manifest.names.iter().all(code) {
        return Err("names begin with the provider's code".into());
    }
    if !connectors.contains_key(&manifest.connector) {
        return Err(format!("there is no connector {}", manifest.connector));
    }
    if !(1..=LONGEST_SESSION).contains(&manifest.session_minutes) {
        return Err("session_minutes must be from 1 to 1440".into());
    }
    if !manifest.steps.iter().any(|step| step.last) {
        return Err("no step is the last".into());
    }
    manifest.steps.iter().try_for_each(check_uploads)
}

/// Kinds are told apart, take at least a byte, and all that are required fit.
fn check_uploads(step: &SkillStep) -> Result<(), String> {
    let mut kinds: Vec<&str> = step.uploads.iter().map(|rule| rule.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.len() != step.uploads.len() {
        return Err(format!("two uploads of step {} are of one kind", step.name));
    }
    if step.uploads.iter().any(|rule| rule.max_bytes == 0) {
        return Err(format!("an upload of step {} may have no bytes", step.name));
    }
    let required = step.uploads.iter().filter(|rule| rule.required).count();
    if required > step.max_uploads as usize {
        return Err(format!(
            "step {} requires more uploads than it takes",
            step.name
        ));
    }
    Ok(())
}

/// One validator a step; the step's own example must pass it.
fn compile(manifest: &SkillManifest) -> Result<HashMap<String, Validator>, String> {
    let mut checks = HashMap::new();
    for SkillStep {
        name,
        schema,
        example,
        ..
    } in &manifest.steps
    {
        let validator = jsonschema::draft202012::new(schema)
            .map_err(|error| format!("schema of step {name}: {error}"))?;
        if schema.get("additionalProperties") != Some(&Value::Bool(false)) {
            return Err(format!("schema of step {name} lets unknown keys through"));
        }
        validator
            .validate(example)
            .map_err(|error| format!("example of step {name}: {error}"))?;
        if checks.insert(name.clone(), validator).is_some() {
            return Err(format!("two steps are called {name}"));
        }
    }
    Ok(checks)
}

/// An error of the schema in our own words: one a key for missing and unknown ones.
fn faults(error: &jsonschema::ValidationError<'_>, schema: &Value) -> Vec<DataFault> {
    let at = dotted(error.instance_path().as_str());
    let fault = |path: String, code, message: String| DataFault {
        path,
        code,
        message,
    };
    match error.kind() {
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            vec![fault(
                format!("{at}.{name}"),
                "missing",
                format!("{name} is missing."),
            )]
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            unexpected
                .iter()
                .map(|name| {
                    let name: String = name.chars().take(64).collect();
                    let message = format!("There is no {name} here: leave it out.");
                    fault(format!("{at}.{name}"), "unknown", message)
                })
                .collect()
        }
        Kind::Pattern { pattern } => {
            let rule = format!("Must match {pattern}.");
            let words = about(schema, error.schema_path().as_str());
            let message = words.map_or(rule.clone(), |words| format!("{words} {rule}"));
            vec![fault(at, "format", message)]
        }
        kind => {
            let (code, message) = describe(kind);
            vec![fault(at, code, message)]
        }
    }
}

/// Returns the schema's description of the value that broke a rule, if there is one: a pattern is hard for people to
/// read.
fn about<'a>(schema: &'a Value, rule: &str) -> Option<&'a str> {
    let (owner, _) = rule.rsplit_once('/')?;
    schema.pointer(owner)?.get("description")?.as_str()
}

fn describe(kind: &Kind) -> (&'static str, String) {
    match kind {
        Kind::Type { kind } => ("type", format!("Must be of type {}.", type_names(kind))),
        Kind::MinLength { limit: 1 } => ("length", "Must not be empty.".into()),
        Kind::MinLength { limit } => (
            "length",
            format!("Must be at least {limit} characters long."),
        ),
        Kind::MaxLength { limit } => (
            "length",
            format!("Must be at most {limit} characters long."),
        ),
        Kind::MinItems { limit } => ("length", format!("Must have at least {limit} entries.")),
        Kind::MaxItems { limit } => ("length", format!("Must have at most {limit} entries.")),
        Kind::Minimum { limit } => ("range", format!("Must be at least {limit}.")),
        Kind::Maximum { limit } => ("range", format!("Must be at most {limit}.")),
        Kind::ExclusiveMinimum { limit } => ("range", format!("Must be more than {limit}.")),
        Kind::ExclusiveMaximum { limit } => ("range", format!("Must be less than {limit}.")),
        Kind::Enum { options } => ("choice", format!("Must be one of {options}.")),
        Kind::Constant { expected_value } => ("choice", format!("Must be {expected_value}.")),
        Kind::Format { format } => ("format", format!("Must be a valid {format}.")),
        Kind::FalseSchema => (
            "unknown",
            "Must not be here, beside what else is given.".into(),
        ),
        other => (
            "invalid",
            format!("Breaks the rule {} of the step's schema.", other.keyword()),
        ),
    }
}

fn type_names(kind: &jsonschema::error::TypeKind) -> String {
    use jsonschema::error::TypeKind;
    match kind {
        TypeKind::Single(one) => one.to_string(),
        TypeKind::Multiple(many) => {
            let names: Vec<String> = many.iter().map(|one| one.to_string()).collect();
            names.join(" or ")
        }
    }
}

/// A JSON Pointer below `data` as developers write it: `/payment_info/0/amount` is `data.payment_info[0].amount`.
fn dotted(pointer: &str) -> String {
    let mut path = String::from("data");
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        if !token.is_empty() && token.bytes().all(|b| b.is_ascii_digit()) {
            path.push_str(&format!("[{token}]"));
        } else {
            path.push('.');
            path.push_str(&token);
        }
    }
    path
}

impl PublishedSkill {
    /// The flavour, by the name.
    pub fn environment(&self) -> Environment {
        self.name.environment()
    }
}
