//! Names that stand for several models together: councils and cascades.

use std::sync::Arc;

use polity_router::{COUNCIL, CascadeSpec, CouncilSpec};
use polity_runtime::registry::Runtime;

use super::{ChooseError, ModelEntry, Models};
use crate::near::near;

/// How several models answer together.
#[derive(Clone, Debug)]
pub(crate) enum Arrangement {
    /// They decide together.
    Council(CouncilSpec),
    /// They are asked one after the other.
    Cascade(CascadeSpec),
}

impl Models {
    /// What a name stands for, where that is several models together.
    pub(crate) fn arrangement(&self, name: &str) -> Result<Option<Arrangement>, ChooseError> {
        let overlay = self.overlay.load();
        if let Some(council) = name.strip_prefix(COUNCIL).filter(|name| !name.is_empty()) {
            if let Some(spec) = overlay.councils.get(council) {
                return Ok(Some(Arrangement::Council(spec.clone())));
            }
            if let Some(members) = overlay.aliases.get(name) {
                let spec = CouncilSpec::of(members.clone());
                return Ok(Some(Arrangement::Council(spec)));
            }
            let known = overlay
                .councils
                .keys()
                .map(|council| format!("{COUNCIL}{council}"));
            let known: Vec<String> = known.collect();
            return Err(ChooseError::Unknown {
                near: near(name, known.iter().map(String::as_str)),
            });
        }
        let cascade = overlay.cascades.get(name);
        Ok(cascade.map(|spec| Arrangement::Cascade(spec.clone())))
    }

    /// The model of a name, if one is known by it now.
    pub(crate) fn named(&self, runtime: &Runtime, name: &str) -> Option<Arc<ModelEntry>> {
        self.current(&runtime.current()).find(name)
    }

    /// The names that stand for several models together.
    pub(crate) fn arrangements(&self) -> Vec<String> {
        let overlay = self.overlay.load();
        let councils = overlay
            .councils
            .keys()
            .map(|council| format!("{COUNCIL}{council}"));
        councils.chain(overlay.cascades.keys().cloned()).collect()
    }
}
