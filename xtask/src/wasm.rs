//! The islands: `app` compiled for the browser, with the JavaScript that loads it. wasm-bindgen runs as a library, so
//! its version is the one in `Cargo.lock` and nothing is installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

use crate::project::{Profile, Project, output};
use crate::report::step;
use crate::{files, leash, npm};

const TARGET: &str = "wasm32-unknown-unknown";
/// Must be what `LEPTOS_OUTPUT_NAME` in `.cargo/config.toml` says.
pub const NAME: &str = "portal";
/// Never `--all-features`: binaryen then writes modules that browsers refuse.
const WASM_OPT: [&str; 7] = [
    "-Oz",
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// Output of wasm-bindgen for the compiled crate.
pub struct Islands {
    /// The glue; it names the module `portal_bg.wasm`.
    pub js: String,
    pub wasm: Vec<u8>,
}

/// Makes sure that rustc can compile for the browser. `rust-toolchain.toml` names the target too, but rustup fetches
/// it by itself only where its auto-install is on.
pub fn ensure_target() -> Result<()> {
    let sysroot = output(Command::new(rustc()).args(["--print", "sysroot"]))?;
    if Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(TARGET)
        .is_dir()
    {
        return Ok(());
    }
    step("adding the wasm target to the toolchain", || {
        leash::run(Command::new("rustup").args(["target", "add", TARGET])).with_context(|| {
            format!("rustc cannot compile for the browser; add the target {TARGET} to your toolchain and run this again")
        })
    })
}

fn rustc() -> std::ffi::OsString {
    std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())
}

/// Arguments that select `app` as the browser gets it, for `cargo build` and `cargo clippy` alike.
pub fn selection() -> [&'static str; 7] {
    [
        "--package",
        "app",
        "--target",
        TARGET,
        "--no-default-features",
        "--features",
        "hydrate",
    ]
}

/// Compiles the islands and returns the module as rustc leaves it.
pub fn compile(project: &Project, profile: Profile) -> Result<PathBuf> {
    let mut command = project.cargo(&["build", "--lib"]);
    command.args(selection());
    let folder = match profile {
        Profile::Dev => "debug",
        Profile::Release => {
            command.args(["--profile", "wasm-release"]);
            "wasm-release"
        }
    };
    leash::run(&command)
        .context("the islands (crate `app`, feature `hydrate`) do not compile for the browser")?;
    Ok(project.target.join(TARGET).join(folder).join("app.wasm"))
}

/// Makes a compiled module loadable, and smaller in release.
pub fn bind(project: &Project, profile: Profile, module: Vec<u8>) -> Result<Islands> {
    let mut bindgen = Bindgen::new();
    bindgen
        .input_bytes(NAME, module)
        .typescript(false)
        .omit_default_module_path(false);
    bindgen
        .remove_name_section(profile == Profile::Release)
        .remove_producers_section(profile == Profile::Release);
    let mut bound = bindgen
        .web(true)?
        .generate_output()
        .context("wasm-bindgen")?;
    let inline = bound
        .snippets()
        .iter()
        .filter(|(_, texts)| !texts.is_empty());
    let owners = inline
        .map(|(owner, _)| owner)
        .chain(bound.local_modules().keys());
    if let Some(owner) = owners.min() {
        bail!(
            "the islands bring a JavaScript file of their own ({owner}), and files under /pkg are served as never \
             changing. Give it a name with its hash in xtask/src/site.rs, or do without that dependency"
        );
    }
    let js = bound.js().to_owned();
    let wasm = bound.wasm_mut().emit_wasm();
    let wasm = if profile == Profile::Release {
        optimise(project, wasm)?
    } else {
        wasm
    };
    Ok(Islands { js, wasm })
}

/// Runs `wasm-opt`, a third off the size, where it is installed; the module works without.
fn optimise(project: &Project, wasm: Vec<u8>) -> Result<Vec<u8>> {
    let Some(wasm_opt) = npm::wasm_opt(project) else {
        eprintln!("    without wasm-opt (a third larger); `npm ci` in end2end/ brings it");
        return Ok(wasm);
    };
    let folder = project.target.join("xtask");
    let (before, after) = (folder.join("before.wasm"), folder.join("after.wasm"));
    files::write(&before, &wasm)?;
    let mut command = Command::new(wasm_opt);
    command.args(WASM_OPT).arg(&before).arg("-o").arg(&after);
    leash::run(&command)?;
    files::read(&after)
}
