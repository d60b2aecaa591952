//! Where the company and its data lie: as the arguments say it, and as the folders are found.

use std::path::{Path, PathBuf};

use clap::Args;

use super::report::Report;

/// A folder with this file in it is a company.
pub(crate) const CHARTER: &str = "charter.json";

/// Inside the company's folder, unless told otherwise.
pub(crate) const DATA: &str = ".polity";

/// The folders as they were given, or not.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct PlaceArgs {
    /// The company's folder: charter, rules, plugins [default: ./protocols, or the current folder]
    #[arg(
        long,
        value_name = "DIR",
        env = "POLITY_COMPANY",
        hide_env = true,
        global = true,
        hide_short_help = true,
        help_heading = "Place"
    )]
    pub(crate) company: Option<PathBuf>,

    /// The data folder: ledger, compiled plugins, tokens [default: <company>/.polity]
    #[arg(
        long,
        value_name = "DIR",
        env = "POLITY_DATA",
        hide_env = true,
        global = true,
        hide_short_help = true,
        help_heading = "Place"
    )]
    pub(crate) data: Option<PathBuf>,
}

/// The folders that a company runs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Charter, rules and plugins. Belongs to the operator.
    pub(crate) company: PathBuf,
    /// What the host writes. Belongs to the host.
    pub(crate) data: PathBuf,
}

impl PlaceArgs {
    /// The company and its data folder.
    pub(crate) fn resolve(&self) -> Result<Place, Report> {
        let company = match &self.company {
            Some(company) if is_company(company) => company.clone(),
            Some(company) => return Err(no_company(company)),
            None => find_company(Path::new(".")).ok_or_else(no_company_here)?,
        };
        let data = self.data.clone().unwrap_or_else(|| company.join(DATA));
        Ok(Place { company, data })
    }

    /// A folder that somebody else fills: it need not be there yet.
    pub(crate) fn to_be_filled(&self) -> Result<Place, Report> {
        let Some(company) = self.company.clone() else {
            return match find_company(Path::new(".")) {
                Some(_) => self.resolve(),
                None => Err(Report::usage("which folder is the company's?")
                    .hint("name one for the host to fill: --company /srv/company")),
            };
        };
        let data = self.data.clone().unwrap_or_else(|| company.join(DATA));
        Ok(Place { company, data })
    }

    /// The data folder alone, for commands that talk to a host and do not care what it runs.
    pub(crate) fn data(&self) -> Result<PathBuf, Report> {
        match &self.data {
            Some(data) => Ok(data.clone()),
            None => Ok(self.resolve()?.data),
        }
    }
}

impl Place {
    /// Where plugins are dropped.
    pub(crate) fn plugins(&self) -> PathBuf {
        self.company.join("plugins")
    }
}

fn is_company(folder: &Path) -> bool {
    folder.join(CHARTER).is_file()
}

fn find_company(here: &Path) -> Option<PathBuf> {
    let protocols = here.join("protocols");
    if is_company(&protocols) {
        return Some(protocols);
    }
    is_company(here).then(|| here.to_owned())
}

fn no_company(folder: &Path) -> Report {
    Report::new(format!("there is no company in {}", folder.display()))
        .because(format!("{} is not there", folder.join(CHARTER).display()))
        .hint(format!("make one: polity init {}", folder.display()))
}

fn no_company_here() -> Report {
    Report::new("there is no company here")
        .because(format!(
            "neither ./protocols/{CHARTER} nor ./{CHARTER} is there"
        ))
        .hint("make one: polity init my-company && polity up --company my-company")
        .hint("or name one: --company DIR")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_named_protocols_goes_before_the_current_one() {
        let here = tempfile::tempdir().unwrap();
        assert_eq!(find_company(here.path()), None);
        std::fs::write(here.path().join(CHARTER), "{}").unwrap();
        assert_eq!(find_company(here.path()).as_deref(), Some(here.path()));
        std::fs::create_dir(here.path().join("protocols")).unwrap();
        assert_eq!(find_company(here.path()).as_deref(), Some(here.path()));
        std::fs::write(here.path().join("protocols").join(CHARTER), "{}").unwrap();
        assert_eq!(
            find_company(here.path()),
            Some(here.path().join("protocols"))
        );
    }

    #[test]
    fn data_lies_inside_the_company_unless_told_otherwise() {
        let company = tempfile::tempdir().unwrap();
        std::fs::write(company.path().join(CHARTER), "{}").unwrap();
        let mut args = PlaceArgs {
            company: Some(company.path().to_owned()),
            data: None,
        };
        assert_eq!(args.resolve().unwrap().data, company.path().join(".polity"));
        args.data = Some("/elsewhere".into());
        assert_eq!(args.resolve().unwrap().data, Path::new("/elsewhere"));
    }

    #[test]
    fn a_folder_without_a_charter_is_answered_with_how_to_make_one() {
        let args = PlaceArgs {
            company: Some("/nowhere".into()),
            data: None,
        };
        insta::assert_snapshot!(args.resolve().unwrap_err().seen(), @"
        error: there is no company in /nowhere
          because: /nowhere/charter.json is not there
          hint: make one: polity init /nowhere
        ");
        insta::assert_snapshot!(no_company_here().seen(), @"
        error: there is no company here
          because: neither ./protocols/charter.json nor ./charter.json is there
          hint: make one: polity init my-company && polity up --company my-company
          hint: or name one: --company DIR
        ");
    }
}
