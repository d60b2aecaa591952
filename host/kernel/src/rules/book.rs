//! All judges of one moment: compiled from one generation of plugins and one constitution, replaced when either changes.

use std::collections::HashSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use polity_constitution::ActionKind;
use polity_runtime::registry::{Generation, Runtime};

use super::Judge;
use super::docket::{Docket, Dockets};
use crate::law::Law;

/// The judges of one moment.
pub(crate) struct Book {
    generation: u64,
    /// What the judges were compiled from; a ruling keeps it, so that a reload in between changes nothing.
    pub(crate) law: Arc<Law>,
    judges: Vec<Arc<Judge>>,
    dockets: Dockets,
}

/// The current book, and the law that is in force.
pub(crate) struct Books {
    law: ArcSwap<Law>,
    current: ArcSwap<Book>,
    /// Held while a book is compiled, so that a change makes one new book and not one for each request.
    compiling: Mutex<()>,
}

impl Book {
    pub(crate) fn compile(plugins: &Generation, law: Arc<Law>) -> Self {
        let bindings = law.constitution.bindings();
        let bound: HashSet<&str> = bindings
            .iter()
            .map(|binding| binding.rule.as_str())
            .collect();
        let unbound = plugins
            .rules()
            .iter()
            .filter(|rule| !bound.contains(&*rule.name))
            .map(Judge::unbound);
        let judges = bindings
            .iter()
            .map(|binding| Judge::bound(binding, plugins))
            .chain(unbound);
        Self {
            generation: plugins.number(),
            judges: judges.map(Arc::new).collect(),
            law: law.clone(),
            dockets: Dockets::default(),
        }
    }

    pub(crate) fn docket(&self, kind: &ActionKind) -> Docket {
        self.dockets.of(kind, &self.judges)
    }
}

impl Books {
    pub(crate) fn new(law: Law, runtime: &Runtime) -> Self {
        let law = Arc::new(law);
        let book = Book::compile(&runtime.current(), law.clone());
        Self {
            law: ArcSwap::new(law),
            current: ArcSwap::from_pointee(book),
            compiling: Mutex::default(),
        }
    }

    /// The law in force.
    pub(crate) fn law(&self) -> Arc<Law> {
        self.law.load_full()
    }

    /// Puts another law in force.
    pub(crate) fn enact(&self, law: Law) {
        self.law.store(Arc::new(law));
    }

    /// The judges as plugins and law are now.
    pub(crate) fn current(&self, runtime: &Runtime) -> Arc<Book> {
        let book = self.current.load_full();
        if self.is_current(&book, &runtime.current()) {
            return book;
        }
        let _alone = self.compiling.lock();
        let plugins = runtime.current();
        let book = self.current.load_full();
        if self.is_current(&book, &plugins) {
            return book;
        }
        let book = Arc::new(Book::compile(&plugins, self.law.load_full()));
        self.current.store(book.clone());
        book
    }

    fn is_current(&self, book: &Book, plugins: &Generation) -> bool {
        book.generation == plugins.number() && Arc::ptr_eq(&book.law, &self.law.load())
    }
}
