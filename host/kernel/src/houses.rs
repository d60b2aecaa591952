//! Breakers and limits of the models, for one generation of plugins.
//!
//! A plugin that was replaced, or has another grant, is not what failed before: it begins without a past.

use std::sync::Arc;

use arc_swap::ArcSwap;
use polity_dispatch::{BreakerPolicy, BudgetRules, House};
use polity_runtime::registry::Runtime;

/// The house of the plugins that serve now.
pub(crate) struct Houses(ArcSwap<(u64, Arc<House>)>);

impl Houses {
    pub(crate) fn current(&self, runtime: &Runtime) -> Arc<House> {
        let number = runtime.current().number();
        let known = self.0.load();
        if known.0 == number {
            return known.1.clone();
        }
        // Two that come at once make two; the later one stays, and the other is forgotten with what it is used for.
        let house = Arc::new(new());
        self.0.store(Arc::new((number, house.clone())));
        house
    }
}

impl Default for Houses {
    fn default() -> Self {
        Self(ArcSwap::from_pointee((0, Arc::new(new()))))
    }
}

/// Money is kept by the ledger's accounts, so nothing is counted here.
fn new() -> House {
    House::new(BreakerPolicy::default(), BudgetRules::default())
}
