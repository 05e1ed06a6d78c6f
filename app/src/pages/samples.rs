//! A call as code: for shells and for JavaScript, with every secret as the name of a variable.

use serde_json::Value;

/// The languages samples are written in, as they stand in `?lang=`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    #[default]
    Shell,
    JavaScript,
}

impl Lang {
    pub const ALL: [Self; 2] = [Self::Shell, Self::JavaScript];

    /// The language of a query; the first one if it names none.
    pub fn of(text: &str) -> Self {
        if text == Self::JavaScript.word() {
            Self::JavaScript
        } else {
            Self::Shell
        }
    }

    /// Returns the language as it stands in `?lang=`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Shell => "shell",
            Self::JavaScript => "javascript",
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Shell => "Shell",
            Self::JavaScript => "JavaScript",
        }
    }
}

/// Variables that stand for secrets in bodies, and how JavaScript names them. What is server-only comes from the
/// environment; what browsers may hold is an ordinary variable.
const VARIABLES: [(&str, &str); 9] = [
    (
        "$TESSERA_CLIENT_SECRET",
        "process.env.TESSERA_CLIENT_SECRET",
    ),
    ("$TESSERA_CLIENT_APP_KEY", "clientAppKey"),
    ("$TESSERA_CLIENT_ID", "clientId"),
    ("$ACCESS_TOKEN", "accessToken"),
    ("$CREDENTIALS_ID", "credentialsId"),
    ("$TEMP_TOKEN", "tempToken"),
    ("$SESSION_ID", "sessionId"),
    ("$STEP_ID", "stepId"),
    ("$NONCE", "nonce"),
];

/// One call. `headers` may hold the variables, too.
pub struct Sample {
    pub method: String,
    pub url: String,
    pub headers: Vec<(&'static str, &'static str)>,
    /// `user:password` of HTTP Basic, as variables.
    pub basic: Option<&'static str>,
    pub body: Option<Value>,
}

impl Sample {
    /// The call in a language.
    pub fn write(&self, lang: Lang) -> String {
        match lang {
            Lang::Shell => self.shell(),
            Lang::JavaScript => self.javascript(),
        }
    }

    fn shell(&self) -> String {
        let mut text = String::from("curl ");
        if self.method != "GET" && self.body.is_none() {
            text.push_str(&format!("-X {} ", self.method));
        }
        text.push_str(&format!("\"{}\"", self.url));
        if let Some(basic) = self.basic {
            text.push_str(&format!(" \\\n  -u \"{basic}\""));
        }
        for (name, value) in &self.headers {
            text.push_str(&format!(" \\\n  -H \"{name}: {value}\""));
        }
        if let Some(body) = &self.body {
            let json = serde_json::to_string_pretty(body).unwrap_or_default();
            text.push_str(&format!(" --json @- <<JSON\n{}\nJSON", heredoc(&json)));
        }
        text
    }

    fn javascript(&self) -> String {
        let mut options = vec![format!("  method: \"{}\",", self.method)];
        let mut headers: Vec<String> = Vec::new();
        if self.body.is_some() {
            headers.push("\"Content-Type\": \"application/json\"".into());
        }
        if let Some(basic) = self.basic {
            headers.push(format!(
                "Authorization: \"Basic \" + btoa({})",
                template(basic)
            ));
        }
        headers.extend(
            self.headers
                .iter()
                .map(|(name, value)| format!("\"{name}\": {}", template(value))),
        );
        if !headers.is_empty() {
            options.push(format!("  headers: {{ {} }},", headers.join(", ")));
        }
        if let Some(body) = &self.body {
            let json = serde_json::to_string_pretty(body)
                .unwrap_or_default()
                .replace('\n', "\n  ");
            options.push(format!("  body: JSON.stringify({}),", literal(&json)));
        }
        let url = template(&self.url);
        if self.method == "GET" && headers.is_empty() {
            return format!(
                "const response = await fetch({url});\nconsole.log(response.status, await response.json());"
            );
        }
        format!(
            "const response = await fetch({url}, {{\n{}\n}});\nconsole.log(response.status, await response.json());",
            options.join("\n")
        )
    }
}

/// A form with a file, sent in a language; the file is the last part.
pub fn form(url: &str, fields: &[(String, String)], lang: Lang) -> String {
    match lang {
        Lang::Shell => {
            let fields: String = fields
                .iter()
                .map(|(name, value)| format!(" \\\n  -F \"{name}={value}\""))
                .collect();
            format!("curl \"{url}\"{fields} \\\n  -F \"file=@document.pdf\"")
        }
        Lang::JavaScript => {
            let fields: String = fields
                .iter()
                .map(|(name, value)| format!("form.append(\"{name}\", {});\n", template(value)))
                .collect();
            let url = template(url);
            format!(
                "const form = new FormData();\n{fields}form.append(\"file\", input.files[0]);\nconst response = await fetch({url}, {{ method: \"POST\", body: form }});\nconsole.log(response.status, await response.json());"
            )
        }
    }
}

/// JSON for an unquoted here-document: only the known variables are left for the shell to fill in.
fn heredoc(json: &str) -> String {
    let mut text = json
        .replace('\\', "\\\\")
        .replace('`', "\\`")
        .replace('$', "\\$");
    for (name, _) in VARIABLES {
        text = text.replace(&format!("\"\\{name}\""), &format!("\"{name}\""));
    }
    text
}

/// JSON with variables in place of the texts that name them.
fn literal(json: &str) -> String {
    VARIABLES
        .iter()
        .fold(json.to_owned(), |text, (name, variable)| {
            text.replace(&format!("\"{name}\""), variable)
        })
}

/// A text that may hold variables: a plain one between quotes, any other as a template.
fn template(text: &str) -> String {
    if let Some((_, variable)) = VARIABLES.iter().find(|(name, _)| *name == text) {
        return (*variable).to_owned();
    }
    if !text.contains('$') {
        return format!("\"{text}\"");
    }
    let filled = VARIABLES
        .iter()
        .fold(text.to_owned(), |text, (name, variable)| {
            text.replace(name, &format!("${{{variable}}}"))
        });
    format!("`{filled}`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_variables_and_nothing_else_is_expanded() {
        let body = json!({"client_secret": "$TESSERA_CLIENT_SECRET", "note": "costs $5 `whoami` \\ $HOME"});
        let sample = Sample {
            method: "POST".into(),
            url: "https://api.example.com/v1/token".into(),
            headers: Vec::new(),
            basic: None,
            body: Some(body),
        };
        let shell = sample.write(Lang::Shell);
        assert!(shell.contains("\"$TESSERA_CLIENT_SECRET\""), "{shell}");
        assert!(
            shell.contains(r"costs \$5 \`whoami\` \\\\ \$HOME"),
            "{shell}"
        );
        let javascript = sample.write(Lang::JavaScript);
        assert!(
            javascript.contains("\"client_secret\": process.env.TESSERA_CLIENT_SECRET,"),
            "{javascript}"
        );
    }

    #[test]
    fn a_form_ends_with_its_file() {
        let fields = [
            ("nonce".to_owned(), "$NONCE".to_owned()),
            ("kind".to_owned(), "id_document".to_owned()),
        ];
        let url = "https://api.example.com/v1/steps/$STEP_ID/upload";
        let shell = form(url, &fields, Lang::Shell);
        assert!(
            shell.ends_with("-F \"kind=id_document\" \\\n  -F \"file=@document.pdf\""),
            "{shell}"
        );
        let javascript = form(url, &fields, Lang::JavaScript);
        assert!(
            javascript.contains("form.append(\"nonce\", nonce);")
                && javascript.contains("fetch(`https://api.example.com/v1/steps/${stepId}/upload`"),
            "{javascript}"
        );
    }

    #[test]
    fn a_path_with_a_variable_is_a_template() {
        let sample = Sample {
            method: "GET".into(),
            url: "https://api.example.com/v1/sessions/$SESSION_ID/get".into(),
            headers: vec![("X-Access-Token", "$ACCESS_TOKEN")],
            basic: Some("$TESSERA_CLIENT_ID:$TESSERA_CLIENT_SECRET"),
            body: None,
        };
        let javascript = sample.write(Lang::JavaScript);
        assert!(
            javascript.contains("fetch(`https://api.example.com/v1/sessions/${sessionId}/get`"),
            "{javascript}"
        );
        assert!(
            javascript.contains("\"X-Access-Token\": accessToken"),
            "{javascript}"
        );
        assert!(
            sample
                .write(Lang::Shell)
                .contains("-u \"$TESSERA_CLIENT_ID:$TESSERA_CLIENT_SECRET\"")
        );
    }
}
