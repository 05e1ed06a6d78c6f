//! The portal's one stylesheet: `style/main.css` with its imports in place, minified. lightningcss runs as a library.

use anyhow::{Result, anyhow, bail};
use lightningcss::bundler::{Bundler, FileProvider};
use lightningcss::stylesheet::{MinifyOptions, ParserOptions, PrinterOptions};
use lightningcss::targets::{Browsers, Targets};

use std::path::Path;

/// The oldest browsers that know nesting, layers and `light-dark()`: what is written stays as it is written.
const BROWSERS: Browsers = Browsers {
    android: None,
    chrome: Some(version(123, 0)),
    edge: None,
    firefox: Some(version(120, 0)),
    ie: None,
    ios_saf: None,
    opera: None,
    safari: Some(version(17, 5)),
    samsung: None,
};

const fn version(major: u32, minor: u32) -> u32 {
    (major << 16) | (minor << 8)
}

/// Bundles and minifies a stylesheet. An error names the file and line.
pub fn bundle(entry: &Path) -> Result<String> {
    if !entry.is_file() {
        bail!("there is no stylesheet {}", entry.display());
    }
    let files = FileProvider::new();
    let mut bundler = Bundler::new(&files, None, ParserOptions::default());
    let mut sheet = bundler
        .bundle(entry)
        .map_err(|error| anyhow!("the stylesheet does not parse: {error}"))?;
    let targets = Targets::from(BROWSERS);
    sheet
        .minify(MinifyOptions {
            targets,
            ..MinifyOptions::default()
        })
        .map_err(|error| anyhow!("the stylesheet cannot be minified: {error}"))?;
    let printed = sheet
        .to_css(PrinterOptions {
            minify: true,
            targets,
            ..PrinterOptions::default()
        })
        .map_err(|error| anyhow!("the stylesheet cannot be printed: {error}"))?;
    Ok(printed.code)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn bundled(name: &str, files: &[(&str, &str)]) -> Result<String> {
        let folder =
            std::env::temp_dir().join(format!("xtask-style-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for (file, text) in files {
            fs::write(folder.join(file), text).unwrap();
        }
        let css = bundle(&folder.join("main.css"));
        fs::remove_dir_all(&folder).unwrap();
        css
    }

    #[test]
    fn imports_keep_their_layer_and_modern_css_stays() {
        let main = "@layer tokens, base;\n@import \"tokens.css\" layer(tokens);\n@layer base { a { &:hover { color: var(--text) } } }";
        let tokens = ":root { color-scheme: light dark; --text: light-dark(#111, #eee) }";
        let css = bundled("layers", &[("main.css", main), ("tokens.css", tokens)]).unwrap();
        assert!(css.contains("@layer tokens{:root{"), "{css}");
        assert!(css.contains("light-dark(#111,#eee)"), "{css}");
        assert!(css.contains("a{&:hover{"), "{css}");
        assert!(!css.contains("@import"), "{css}");
    }

    #[test]
    fn an_error_names_the_file() {
        let error = bundled(
            "broken",
            &[
                ("main.css", "@import \"part.css\";"),
                ("part.css", "a { color: red; } }"),
            ],
        );
        assert!(error.unwrap_err().to_string().contains("part.css"));
    }
}
