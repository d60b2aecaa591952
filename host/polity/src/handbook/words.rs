//! Names of files and kinds.

use polity_constitution::{Near, ProtocolKind};

/// The page of a protocol. A name may hold anything that a file's name may, and the page's name holds only what means
/// nothing in an address.
pub(super) fn file(near: &Near) -> String {
    let mut name = format!("{}-", kind(near.kind));
    for byte in near.name.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("_{byte:02x}"));
        }
    }
    name + ".html"
}

pub(super) fn kind(kind: ProtocolKind) -> &'static str {
    match kind {
        ProtocolKind::Workflow => "workflow",
        ProtocolKind::Table => "table",
        ProtocolKind::Rule => "rule",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_folder_or_into_another_page() {
        let near = |name: &str| Near {
            kind: ProtocolKind::Table,
            name: name.to_owned(),
            title: String::new(),
            file: String::new(),
        };
        assert_eq!(file(&near("refund-dispute")), "table-refund-dispute.html");
        assert_eq!(
            file(&near("../x?\"<é")),
            "table-_2e_2e_2fx_3f_22_3c_c3_a9.html"
        );
        assert_ne!(file(&near("a_2e")), file(&near("a.")));
    }
}
