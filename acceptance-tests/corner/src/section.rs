//! A managed resource written with blocks of every kind.

use framework::{
    Attribute, Block, CreateRequest, CreateResponse, DeleteRequest, DeleteResponse, Dynamic,
    FromValue, Outcome, Path, ReadRequest, ReadResponse, Resource, Schema, ToValue, Type,
    UpdateRequest, UpdateResponse, Value, async_trait,
};
use std::collections::BTreeMap;

use crate::store::Store;

pub struct Section;

#[derive(FromValue, ToValue)]
struct Model {
    id: Value<String>,
    name: String,
    owner: Owner,
    logging: Value<Rule>,
    rule: Vec<Rule>,
    label: Vec<Label>,
    zone: BTreeMap<String, Zone>,
}

#[derive(FromValue, ToValue)]
struct Owner {
    team: String,
}

#[derive(FromValue, ToValue)]
struct Rule {
    port: Value<i64>,
    handle: Value<String>,
    range: Vec<Range>,
}

#[derive(FromValue, ToValue)]
struct Range {
    cidrs: Value<Vec<String>>,
}

#[derive(FromValue, ToValue)]
struct Label {
    key: String,
}

#[derive(FromValue, ToValue)]
struct Zone {
    size: Value<i64>,
}

fn rule() -> [(&'static str, Attribute); 2] {
    [
        ("port", Attribute::number("A port.").default(80)),
        (
            "handle",
            Attribute::string("Chosen by the provider.")
                .computed()
                .keep_known(),
        ),
    ]
}

fn range() -> Block {
    Block::list(
        [(
            "cidrs",
            Attribute::list(Type::String, "Networks.").optional(),
        )],
        "Who is let through.",
    )
}

impl Model {
    /// What apply chooses for what the plan left open.
    fn fill(&mut self) {
        self.id = Value::Known(format!("section-{}", self.name));
        let logging = match &mut self.logging {
            Value::Known(logging) => Some(logging),
            Value::Null | Value::Unknown => None,
        };
        for (index, rule) in self.rule.iter_mut().chain(logging).enumerate() {
            if rule.handle.is_unknown() {
                rule.handle = Value::Known(format!("handle-{index}"));
            }
        }
    }
}

#[async_trait]
impl Resource<Store> for Section {
    fn type_name(&self) -> &'static str {
        "corner_section"
    }

    fn schema(&self) -> Schema {
        Schema::new("Blocks of every kind.")
            .attribute("id", Attribute::string("Its id.").computed().keep_known())
            .attribute("name", Attribute::string("Its name.").required())
            .block(
                "owner",
                Block::single(
                    [("team", Attribute::string("The team.").required())],
                    "Who pays.",
                )
                .required()
                .replace_on_change(),
            )
            .block(
                "logging",
                Block::single(rule(), "Where logs go.").block("range", range()),
            )
            .block(
                "rule",
                Block::list(rule(), "What is let through.")
                    .at_least(1)
                    .at_most(3)
                    .block("range", range()),
            )
            .block(
                "label",
                Block::set([("key", Attribute::string("A key.").required())], "Labels."),
            )
            .block(
                "zone",
                Block::map(
                    [("size", Attribute::number("A size.").default(1))],
                    "Zones.",
                ),
            )
    }

    async fn create(
        &self,
        request: CreateRequest<Store>,
        response: &mut CreateResponse,
    ) -> Outcome {
        let mut model: Model = request.plan.get()?;
        request.data.write(&model.name, "section")?;
        model.fill();
        response.set_state(&model);
        Ok(())
    }

    async fn read(&self, request: ReadRequest<Store>, response: &mut ReadResponse) -> Outcome {
        let name: String = request.state.get_at(&Path::of("name"))?;
        if request.data.read(&name)?.is_none() {
            response.state = None;
        } else if let Some(state) = &mut response.state
            && name == "forgetful"
        {
            // Answers null where terraform knows empty blocks alone.
            for block in ["label", "zone"] {
                state.set_at(&Path::of(block), Dynamic::Null);
            }
        }
        Ok(())
    }

    async fn update(
        &self,
        request: UpdateRequest<Store>,
        response: &mut UpdateResponse,
    ) -> Outcome {
        let mut model: Model = request.plan.get()?;
        model.fill();
        response.set_state(&model);
        Ok(())
    }

    async fn delete(&self, request: DeleteRequest<Store>, _: &mut DeleteResponse) -> Outcome {
        let name: String = request.prior_state.get_at(&Path::of("name"))?;
        request.data.remove(&name)
    }
}
