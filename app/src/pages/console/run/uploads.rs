//! Files of a step: a field and a sample for each that is wanted, and the list of those that arrived.

use leptos::prelude::*;

use super::Looks;
use super::failure::{failure, refused_call};
use crate::links;
use crate::portal::console::{Run, WantedFile};
use crate::ui::form::error_line;
use crate::ui::{Chip, Icon, PostButton, Table, TableColumn, Tone};

/// The types that the API takes, as browsers name them.
const TAKEN: &str = "application/pdf,image/png,image/jpeg,image/webp";

/// One form for each file that the step submitted last takes.
pub(super) fn uploads_card(run: &Run, looks: &Looks, step: &str, wanted: &[WantedFile]) -> AnyView {
    let refused = refused_call(run)
        .is_some()
        .then(|| failure(run, &looks.left));
    let files = wanted
        .iter()
        .map(|file| slot(run, looks, file))
        .collect_view();
    view! {
        <section class="card next">
            <div class="bar">
                <h2>"Next: Files of step " <code>{step.to_owned()}</code></h2>
                <span class="spacer"></span>
                <Chip tone=Tone::Accent plain=true text="Browser-safe" />
            </div>
            <div class="pad">
                {refused}
                <p>
                    "Step accepted. Upload its files next: "
                    <code>"POST …/upload"</code>
                    ", each with the nonce that the step was submitted with."
                </p>
                <ul class="uploads">{files}</ul>
            </div>
        </section>
    }
    .into_any()
}

fn slot(run: &Run, looks: &Looks, file: &WantedFile) -> impl IntoView + use<> {
    let optional = (!file.required).then(|| view! { <span class="optional">" (optional)"</span> });
    let name = format!("file-{}", file.kind);
    let body = if file.sent {
        view! { <p class="sent"><Icon name="check" /> "Sent"</p> }.into_any()
    } else {
        forms(run, looks, file, &name).into_any()
    };
    view! {
        <li>
            <p class="what">
                <label for=(!file.sent).then(|| name.clone())>{file.title.clone()} {optional}</label>
                <code>{file.kind.clone()}</code>
                <span class="faint">{format!("PDF, PNG, JPEG or WebP, up to {}", size(file.max_bytes))}</span>
            </p>
            {body}
        </li>
    }
}

fn forms(run: &Run, looks: &Looks, file: &WantedFile, name: &str) -> impl IntoView + use<> {
    let wrong = looks.file.as_ref().filter(|(kind, _)| *kind == file.kind);
    let wrong = wrong.map(|(_, why)| why.clone());
    let error_id = wrong.is_some().then(|| format!("{name}-error"));
    let at = run.calls.len().to_string();
    let sample = vec![
        ("act", "upload".to_owned()),
        ("at", at.clone()),
        ("kind", file.kind.clone()),
        ("sample", "yes".to_owned()),
    ];
    view! {
        <div class="send">
            <form method="post" action=links::run(run.id) enctype="multipart/form-data">
                <input type="hidden" name="act" value="upload" />
                <input type="hidden" name="at" value=at />
                <input type="hidden" name="kind" value=file.kind.clone() />
                <input
                    type="file"
                    id=name.to_owned()
                    name="file"
                    accept=TAKEN
                    required
                    aria-invalid=wrong.is_some().then_some("true")
                    aria-describedby=error_id
                />
                <button class="btn" aria-label=format!("Send file: {}", file.title)>"Send file"</button>
            </form>
            <PostButton
                action=links::run(run.id)
                label="Use a sample file"
                spoken=format!("Use a sample file: {}", file.title)
                class="btn primary"
                fields=sample
            />
        </div>
        <div class="field">{wrong.map(|why| error_line(name, why))}</div>
    }
}

/// Every file of the run that the API took.
pub(super) fn files_card(run: &Run) -> Option<AnyView> {
    if run.files.is_empty() {
        return None;
    }
    let columns = vec![
        TableColumn::text("Kind"),
        TableColumn::text("Step"),
        TableColumn::text("upload_id"),
        TableColumn::text("SHA-256"),
        TableColumn::number("Size"),
    ];
    let rows = run
        .files
        .iter()
        .map(|file| {
            view! {
                <tr>
                    <th scope="row"><code>{file.kind.clone()}</code></th>
                    <td>{file.step.clone()}</td>
                    <td><code class="break">{file.upload_id.clone()}</code></td>
                    <td><code class="break">{file.sha256.clone()}</code></td>
                    <td class="num" data-label="Size">{size(file.size)}</td>
                </tr>
            }
        })
        .collect_view();
    Some(
        view! {
            <section class="card">
                <div class="bar"><h2>"Files"</h2></div>
                <Table caption="Files that were sent" columns=columns folds=true>{rows}</Table>
            </section>
        }
        .into_any(),
    )
}

/// `590 B`, `12 kB`, `10 MiB`: as people say it.
fn size(bytes: u64) -> String {
    const KIB: u64 = 1024;
    const MIB: u64 = KIB * KIB;
    match bytes {
        0..KIB => format!("{bytes} B"),
        KIB..MIB => format!("{} KiB", bytes.div_ceil(KIB)),
        _ => format!("{} MiB", bytes.div_ceil(MIB)),
    }
}
