//! All that the provider offers, by name. Schemas are built when first needed.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use crate::{
    Action, DataSource, Diagnostics, EphemeralResource, Function, IdentitySchema, ListResource,
    Provider, Resource, Schema, Type,
};

/// A schema with the type of its values.
pub(crate) struct Compiled {
    pub schema: Schema,
    pub ty: Type,
    pub identity: Option<(IdentitySchema, Type)>,
}

impl Compiled {
    pub fn new(schema: Schema, identity: Option<IdentitySchema>) -> Self {
        Self {
            ty: schema.object_type(),
            schema,
            identity: identity.map(|identity| {
                let ty = identity.object_type();
                (identity, ty)
            }),
        }
    }

    pub fn identity_type(&self) -> Option<&Type> {
        self.identity.as_ref().map(|(_, ty)| ty)
    }
}

/// One offer.
pub(crate) struct Entry<T: ?Sized> {
    pub handler: Arc<T>,
    compiled: OnceLock<Compiled>,
}

impl<T: ?Sized> Entry<T> {
    fn new(handler: Arc<T>) -> Self {
        Self {
            handler,
            compiled: OnceLock::new(),
        }
    }
}

macro_rules! compile {
    ($($kind:ident: |$handler:ident| $identity:expr;)*) => {$(
        impl<D: Send + Sync + 'static> Entry<dyn $kind<D>> {
            pub fn compiled(&self) -> &Compiled {
                let $handler = &self.handler;
                self.compiled.get_or_init(|| Compiled::new($handler.schema(), $identity))
            }
        }
    )*};
}

compile! {
    Resource: |handler| handler.identity_schema();
    DataSource: |handler| None;
    EphemeralResource: |handler| None;
    ListResource: |handler| None;
    Action: |handler| None;
}

type Entries<T> = BTreeMap<&'static str, Entry<T>>;

/// Everything by name.
pub(crate) struct Registry<D: Send + Sync + 'static> {
    pub resources: Entries<dyn Resource<D>>,
    pub data_sources: Entries<dyn DataSource<D>>,
    pub ephemeral: Entries<dyn EphemeralResource<D>>,
    pub lists: Entries<dyn ListResource<D>>,
    pub actions: Entries<dyn Action<D>>,
    pub functions: BTreeMap<&'static str, Arc<dyn Function>>,
    provider: OnceLock<Compiled>,
    meta: OnceLock<Option<Compiled>>,
}

impl<D: Send + Sync + 'static> Registry<D> {
    pub fn new<P: Provider<Data = D>>(provider: &P) -> Self {
        macro_rules! by_name {
            ($list:expr) => {
                $list
                    .into_iter()
                    .map(|h| (h.type_name(), Entry::new(h)))
                    .collect()
            };
        }
        Self {
            resources: by_name!(provider.resources()),
            data_sources: by_name!(provider.data_sources()),
            ephemeral: by_name!(provider.ephemeral_resources()),
            lists: by_name!(provider.list_resources()),
            actions: by_name!(provider.actions()),
            functions: provider
                .functions()
                .into_iter()
                .map(|f| (f.name(), f))
                .collect(),
            provider: OnceLock::new(),
            meta: OnceLock::new(),
        }
    }

    pub fn provider<P: Provider>(&self, provider: &P) -> &Compiled {
        self.provider
            .get_or_init(|| Compiled::new(provider.schema(), None))
    }

    pub fn meta<P: Provider>(&self, provider: &P) -> Option<&Compiled> {
        self.meta
            .get_or_init(|| {
                provider
                    .meta_schema()
                    .map(|schema| Compiled::new(schema, None))
            })
            .as_ref()
    }
}

/// The entry of a type name.
pub(crate) fn find<'e, T: ?Sized>(
    entries: &'e Entries<T>,
    name: &str,
    kind: &str,
) -> Result<&'e Entry<T>, Diagnostics> {
    entries.get(name).ok_or_else(|| {
        let known: Vec<_> = entries.keys().copied().collect();
        Diagnostics::one_error(
            format!("unknown {kind} type"),
            format!(
                "This version of the provider has no {kind} {name:?}. It has: {}.",
                known.join(", ")
            ),
        )
    })
}
