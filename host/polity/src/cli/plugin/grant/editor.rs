//! A grant file in the person's own editor.

use std::process::Command;

use super::{View, missing};
use crate::cli::report::Report;

/// Opens the grant file, with what is missing as remarks at its end. None where it was left as it was.
pub(super) fn edit(plugin: &View, current: &str) -> Result<Option<String>, Report> {
    let editor = ["VISUAL", "EDITOR"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let editor = editor.unwrap_or_else(|| "vi".to_owned());
    let failed = |error: std::io::Error| {
        Report::new(format!("the editor {editor} cannot be used"))
            .because(error)
            .hint("name another one in the environment variable EDITOR")
            .hint("or write the file yourself: polity plugin grant NAME --file FILE")
    };
    let file = tempfile::Builder::new()
        .prefix(&format!("{}-", plugin.name))
        .suffix(".grant.toml")
        .tempfile()
        .map_err(failed)?;
    let offered = format!("{current}{}", remarks(plugin));
    std::fs::write(file.path(), &offered).map_err(failed)?;
    // An editor may come with arguments, as in EDITOR="code --wait"; a shell splits them.
    let status = Command::new("sh")
        .arg("-c")
        .arg(format!("{editor} \"$1\""))
        .arg("polity")
        .arg(file.path())
        .status()
        .map_err(failed)?;
    if !status.success() {
        return Err(
            Report::new("nothing was changed").because(format!("the editor ended with {status}"))
        );
    }
    let edited = std::fs::read_to_string(file.path()).map_err(failed)?;
    Ok((edited != offered).then_some(edited))
}

/// What is missing, so that giving it is taking the `# ` away.
fn remarks(plugin: &View) -> String {
    let missing = missing(plugin);
    if missing.is_empty() {
        return String::new();
    }
    let lines: String = missing.lines().map(|line| format!("# {line}\n")).collect();
    format!(
        "\n# It also wants what follows. To give it, take the first `# ` of the lines away.\n{lines}"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::host::read;

    #[test]
    fn remarks_change_nothing_until_they_are_taken_up() {
        let unmet = json!([{"want": "it wants out", "fix": "[[http]]\nhost = \"a.example\"\n"}]);
        let plugin: View = read(&json!({"name": "a", "state": "pending", "unmet": unmet})).unwrap();
        let text = remarks(&plugin);
        let grant = polity_runtime::grant::Grant::parse("a", &text).unwrap();
        assert!(grant.http.is_empty());
        let taken: String = text
            .lines()
            .skip(2)
            .map(|line| format!("{}\n", line.strip_prefix("# ").unwrap()))
            .collect();
        assert_eq!(
            polity_runtime::grant::Grant::parse("a", &taken)
                .unwrap()
                .http
                .len(),
            1
        );
    }
}
