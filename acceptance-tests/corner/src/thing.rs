//! A managed resource with an attribute of every kind.

mod schema;

use std::collections::BTreeMap;
use std::time::Duration;

use framework::{
    CancellationToken, Change, CreateRequest, CreateResponse, Deferred, DeleteRequest,
    DeleteResponse, Diagnostics, Dynamic, FromValue, IdentitySchema, ImportRequest, ImportResponse,
    ModifyPlanRequest, ModifyPlanResponse, MoveStateRequest, MoveStateResponse, Number, Outcome,
    Path, ReadRequest, ReadResponse, Resource, Schema, ToValue, Type, UpdateRequest,
    UpdateResponse, UpgradeIdentityRequest, UpgradeStateRequest, UpgradeStateResponse, Value,
    async_trait,
};

use crate::store::Store;

pub struct Thing;

#[derive(FromValue, ToValue)]
struct Model {
    id: Value<String>,
    name: Value<String>,
    content: Value<String>,
    behaviour: Value<String>,
    size: Value<Number>,
    ratio: Value<Number>,
    enabled: Value<bool>,
    tags: Value<std::collections::BTreeSet<String>>,
    labels: Value<BTreeMap<String, Value<String>>>,
    anything: Dynamic,
    secret: Value<String>,
    secret_wo: Value<String>,
    secret_wo_version: Value<i64>,
    single: Value<Inner>,
    list: Value<Vec<Inner>>,
    map: Value<BTreeMap<String, Inner>>,
    set: Value<Vec<Plain>>,
    spelled: Value<String>,
    protected: Value<bool>,
    revision: Value<i64>,
}

#[derive(FromValue, ToValue)]
struct Inner {
    key: Value<String>,
    #[object(name = "default")]
    default_value: Value<i64>,
    computed: Value<String>,
}

#[derive(FromValue, ToValue)]
struct Plain {
    key: Value<String>,
    value: Value<String>,
}

/// What apply chooses for what the plan left open.
fn fill(model: &mut Model, revision: i64) {
    let name = model.name.as_known().cloned().unwrap_or_default();
    model.id = Value::Known(format!("id-{name}"));
    model.revision = Value::Known(revision);
    let settle = |inner: &mut Inner| {
        if inner.computed.is_unknown() {
            let key = inner.key.as_known().cloned().unwrap_or_default();
            inner.computed = Value::Known(format!("computed-{key}"));
        }
    };
    if let Value::Known(inner) = &mut model.single {
        settle(inner);
    }
    if let Value::Known(list) = &mut model.list {
        list.iter_mut().for_each(settle);
    }
    if let Value::Known(map) = &mut model.map {
        map.values_mut().for_each(settle);
    }
}

impl Thing {
    async fn wait_if_asked(model: &Model, cancel: &CancellationToken) -> bool {
        let time = match model.behaviour.as_known().map(String::as_str) {
            Some("slow") => Duration::from_mins(1),
            Some("three seconds") => Duration::from_secs(3),
            _ => return false,
        };
        tokio::select! {
            () = cancel.cancelled() => true,
            () = tokio::time::sleep(time) => false,
        }
    }
}

/// A panic in a destructor while another panic unwinds cannot be caught: the process aborts.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped while unwinding");
    }
}

#[async_trait]
impl Resource<Store> for Thing {
    fn type_name(&self) -> &'static str {
        "corner_thing"
    }

    fn schema(&self) -> Schema {
        schema::schema()
    }

    fn identity_schema(&self) -> Option<IdentitySchema> {
        let identity = IdentitySchema::new().version(1);
        Some(identity.required("name", Type::String, "Its name."))
    }

    async fn modify_plan(
        &self,
        request: ModifyPlanRequest<Store>,
        response: &mut ModifyPlanResponse,
    ) -> Outcome {
        request.data.note(request.provider_meta.as_ref(), "plan")?;
        if request.change() == Change::Destroy {
            let protected: Value<bool> = request.prior_state.get_at(&Path::of("protected"))?;
            if protected == Value::Known(true) {
                return Err(Diagnostics::one_error_at(
                    Path::of("protected"),
                    "thing is protected",
                    "Set protected = false and apply first.",
                ));
            }
            return Ok(());
        }
        let name: Value<String> = request.config.get_at(&Path::of("name"))?;
        response.planned_private.set("planned", &true);
        if request.planned_private.get("planned") == Some(true) {
            response.planned_private.set("approved", &true);
        }
        response.planned_identity = Some(Dynamic::object([("name", name.to_value())]));
        let behaviour: Value<String> = request.config.get_at(&Path::of("behaviour"))?;
        match behaviour.as_known().map(String::as_str) {
            Some("bad plan") => response.set_at(&Path::of("content"), &"another".to_owned()),
            Some("bad identity") => {
                response.planned_identity = Some(Dynamic::object([("name", "another".into())]));
            }
            Some("defer") => response.deferred = Some(Deferred::AbsentPrerequisite),
            Some("panic in plan") => panic!("as asked"),
            _ => {}
        }
        Ok(())
    }

    async fn create(
        &self,
        request: CreateRequest<Store>,
        response: &mut CreateResponse,
    ) -> Outcome {
        request
            .data
            .note(request.provider_meta.as_ref(), "create")?;
        let mut model: Model = request.plan.get()?;
        let secret: Option<String> = request.config.get_at(&Path::of("secret_wo"))?;
        tracing::info!(password = secret, "creating");
        if request.planned_private.get("planned") != Some(true) {
            return Err(Diagnostics::one_error(
                "private data lost",
                "It was set in the plan.",
            ));
        }
        let name: String = request.plan.get_at(&Path::of("name"))?;
        let content = model.content.as_known().cloned().unwrap_or_default();
        request.data.write(&name, &content)?;
        fill(&mut model, 1);
        response
            .private
            .set("secret_length", &secret.map(|secret| secret.len()));
        let interrupted = Self::wait_if_asked(&model, &request.cancel).await;
        if interrupted {
            request.data.write(&format!("meta-cancelled-{name}"), "")?;
        }
        match model.behaviour.as_known().map(String::as_str) {
            Some("panic") => panic!("as asked"),
            Some("abort") => {
                let _bomb = Bomb;
                panic!("as asked");
            }
            Some("panic in a task") => {
                let task = tokio::spawn(async { panic!("in the background, as asked") });
                let failed = task.await.is_err();
                tracing::info!(failed, "the task ended");
            }
            Some("error with state") => {
                response.set_state(&model);
                response.diagnostics.error("failed late", "As asked.");
            }
            Some("error") => return Err(Diagnostics::one_error("failed", "As asked.")),
            Some("other identity") => {
                response.identity = Some(Dynamic::object([("name", "another".into())]));
            }
            Some("bad result") => model.content = Value::Known("another".to_owned()),
            Some("unknown result") => model.revision = Value::Unknown,
            _ => {}
        }
        response.set_state(&model);
        if interrupted {
            response
                .diagnostics
                .warning("interrupted", "The next apply goes on.");
        }
        Ok(())
    }

    async fn read(&self, request: ReadRequest<Store>, response: &mut ReadResponse) -> Outcome {
        request.data.note(request.provider_meta.as_ref(), "read")?;
        let name: String = match &request.identity {
            Some(identity) if request.state.is_null() => identity.get_at(&Path::of("name"))?,
            _ => request.state.get_at(&Path::of("name"))?,
        };
        let Some(content) = request.data.read(&name)? else {
            response.state = None;
            return Ok(());
        };
        if let Some(state) = &mut response.state {
            if !content.is_empty() {
                state.set_at(&Path::of("content"), content);
            }
            state.set_at(&Path::of("id"), format!("id-{name}"));
            let spelled: Value<String> = state.get_at(&Path::of("spelled"))?;
            state.set_at(
                &Path::of("spelled"),
                spelled.map(|s| s.to_uppercase()).to_value(),
            );
        }
        response.identity = Some(Dynamic::object([("name", name.to_value())]));
        Ok(())
    }

    async fn update(
        &self,
        request: UpdateRequest<Store>,
        response: &mut UpdateResponse,
    ) -> Outcome {
        request
            .data
            .note(request.provider_meta.as_ref(), "update")?;
        let mut model: Model = request.plan.get()?;
        let before: Value<i64> = request.prior_state.get_at(&Path::of("revision"))?;
        if model.behaviour == Value::Known("error".to_owned()) {
            response.set_state(&request.prior_state);
            return Err(Diagnostics::one_error("failed", "As asked."));
        }
        let name: String = request.plan.get_at(&Path::of("name"))?;
        let content = model.content.as_known().cloned().unwrap_or_default();
        request.data.write(&name, &content)?;
        fill(&mut model, before.known().unwrap_or(0) + 1);
        response.set_state(&model);
        Ok(())
    }

    async fn delete(&self, request: DeleteRequest<Store>, _: &mut DeleteResponse) -> Outcome {
        request
            .data
            .note(request.provider_meta.as_ref(), "delete")?;
        let name: String = request.prior_state.get_at(&Path::of("name"))?;
        request.data.remove(&name)
    }

    async fn import_state(
        &self,
        request: ImportRequest<Store>,
        response: &mut ImportResponse,
    ) -> Outcome {
        let name = match &request.identity {
            Some(identity) => identity.get_at(&Path::of("name"))?,
            None => request.id,
        };
        response.identity = Some(Dynamic::object([("name", name.to_value())]));
        response.set_state(&Dynamic::object([("name", name.to_value())]));
        Ok(())
    }

    async fn upgrade_state(
        &self,
        request: UpgradeStateRequest,
        response: &mut UpgradeStateResponse,
    ) -> Outcome {
        let mut state = request.raw_state;
        if let Dynamic::Map(members) = &mut state {
            // Version 1 called the content `text`.
            if let Some(text) = members.remove("text") {
                members.insert("content".to_owned(), text);
            }
            members.retain(|name, _| matches!(name.as_str(), "id" | "name" | "content"));
        }
        response.state = Some(state);
        Ok(())
    }

    async fn upgrade_identity(
        &self,
        request: UpgradeIdentityRequest,
    ) -> Result<Dynamic, Diagnostics> {
        // Version 0 called the name `thing`.
        match request.raw_identity.member("thing") {
            Some(name) if request.version == 0 => Ok(Dynamic::object([("name", name.clone())])),
            _ => Err(Diagnostics::one_error(
                "identity of another program",
                "It has no `thing`.",
            )),
        }
    }

    async fn move_state(
        &self,
        request: MoveStateRequest,
        response: &mut MoveStateResponse,
    ) -> Outcome {
        if request.source_type_name != "terraform_data" {
            return Err(Diagnostics::one_error(
                "cannot be moved",
                "Only from terraform_data.",
            ));
        }
        // A value of any type is stored with its type.
        let typed = Path::of("input.value");
        let path = match request.source_state.at(&typed) {
            Some(_) => typed,
            None => Path::of("input"),
        };
        let name: String = request.source_state.get_at(&path)?;
        response.set_state(&Dynamic::object([
            ("name", name.to_value()),
            ("id", format!("id-{name}").to_value()),
        ]));
        response.identity = Some(Dynamic::object([("name", name.to_value())]));
        Ok(())
    }
}
