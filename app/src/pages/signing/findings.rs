//! What the checks of a signature found, as a list.

use leptos::prelude::*;

use crate::domain::signature::{Check, Finding, Outcome};
use crate::ui::{Chip, Notice, Tone};

/// Every check, and above them the first that failed: the one to mend.
pub(super) fn findings(all: &[Finding]) -> impl IntoView + use<> {
    let first = all.iter().find(|finding| finding.is_failed());
    let verdict = match first {
        Some(finding) => {
            let advice = finding.advice.clone();
            view! {
                <Notice tone=Tone::Err title=format!("The check “{}” fails", title(finding.check))>
                    <p>{advice}</p>
                </Notice>
            }
        }
        None => {
            view! {
                <Notice tone=Tone::Ok title="This signature would be accepted">
                    <p>"Every check passes. Nothing was used up: send it while it is good."</p>
                </Notice>
            }
        }
    };
    let rows = all.iter().cloned().map(row).collect_view();
    view! {
        {verdict}
        <ol class="findings" aria-label="Checks of the signature">
            {rows}
        </ol>
    }
}

fn row(finding: Finding) -> impl IntoView {
    let (tone, word) = match finding.outcome {
        Outcome::Passed => (Tone::Ok, "Passed"),
        Outcome::Failed => (Tone::Err, "Failed"),
        Outcome::Skipped => (Tone::default(), "Not checked"),
    };
    let failed = finding.is_failed();
    let line = |label: &'static str, text: String| {
        (!text.is_empty()).then(|| {
            view! {
                <div>
                    <dt>{label}</dt>
                    <dd class="mono break">{text}</dd>
                </div>
            }
        })
    };
    let found = if failed { "Found" } else { "Accepted" };
    let values = view! {
        <dl class="compared">{line("Expected", finding.expected)} {line(found, finding.found)}</dl>
    };
    let advice = failed.then(|| view! { <p>{finding.advice}</p> });
    view! {
        <li>
            <div class="finding-head">
                <h3>{title(finding.check)}</h3>
                <Chip tone=tone text=word />
            </div>
            <p class="faint">{finding.check.rule()}</p>
            {values}
            {advice}
        </li>
    }
}

/// A check's name as a heading.
pub(super) const fn title(check: Check) -> &'static str {
    match check {
        Check::Form => "Form",
        Check::Algorithm => "Algorithm",
        Check::Issuer => "Issuer",
        Check::Key => "Key",
        Check::Signature => "Signature",
        Check::Subject => "Subject",
        Check::Audience => "Audience",
        Check::Time => "Time",
        Check::Target => "Method and URL",
        Check::Digest => "Digest of the body",
        Check::Once => "Used once",
    }
}
