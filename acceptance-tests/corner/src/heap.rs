//! Sets within sets, objects of a list that hold values of any type, and an attribute that users should leave.

use framework::{
    Attribute, CreateRequest, CreateResponse, DeleteRequest, DeleteResponse, Dynamic, FromValue,
    Outcome, ReadRequest, ReadResponse, Resource, Schema, ToValue, UpdateRequest, UpdateResponse,
    Value, async_trait,
};

use crate::store::Store;

pub struct Heap;

#[derive(FromValue, ToValue)]
struct Model {
    id: Value<String>,
    note: Value<String>,
    stones: Value<Vec<Stone>>,
    mixed: Dynamic,
    old: Dynamic,
}

#[derive(FromValue, ToValue)]
struct Stone {
    key: Value<String>,
    size: Value<i64>,
    id: Value<String>,
    marks: Dynamic,
}

impl Model {
    /// What apply chooses for what the plan left open; what has an id keeps it.
    fn settle(&mut self, serial: &str) {
        if self.id.is_unknown() {
            self.id = Value::Known(serial.to_owned());
        }
        if let Value::Known(stones) = &mut self.stones {
            for stone in stones.iter_mut().filter(|stone| stone.id.is_unknown()) {
                let key = stone.key.as_known().cloned().unwrap_or_default();
                stone.id = Value::Known(format!("{key}-{serial}"));
            }
        }
    }
}

#[async_trait]
impl Resource<Store> for Heap {
    fn type_name(&self) -> &'static str {
        "corner_heap"
    }

    fn schema(&self) -> Schema {
        let mark = [
            ("word", Attribute::string("A word.").required()),
            ("weight", Attribute::number("Its weight.").default(2)),
        ];
        let stone = [
            ("key", Attribute::string("A key.").required()),
            ("size", Attribute::number("A size.").default(1)),
            (
                "id",
                Attribute::string("Chosen by the provider.")
                    .computed()
                    .keep_known(),
            ),
            (
                "marks",
                Attribute::set_of(mark, "What is on it.").optional(),
            ),
        ];
        let any = [("value", Attribute::any("A value of any type.").optional())];
        Schema::new("Things that have no order.").attributes([
            ("id", Attribute::string("Its id.").computed().keep_known()),
            ("note", Attribute::string("A text.").optional()),
            ("stones", Attribute::set_of(stone, "Stones.").optional()),
            ("mixed", Attribute::list_of(any, "Anything.").optional()),
            (
                "old",
                Attribute::string("A text.")
                    .optional()
                    .deprecated("Use note."),
            ),
        ])
    }

    async fn create(
        &self,
        request: CreateRequest<Store>,
        response: &mut CreateResponse,
    ) -> Outcome {
        let mut model: Model = request.plan.get()?;
        model.settle("first");
        response.set_state(&model);
        Ok(())
    }

    async fn read(&self, _: ReadRequest<Store>, _: &mut ReadResponse) -> Outcome {
        Ok(())
    }

    async fn update(
        &self,
        request: UpdateRequest<Store>,
        response: &mut UpdateResponse,
    ) -> Outcome {
        let mut model: Model = request.plan.get()?;
        model.settle("later");
        response.set_state(&model);
        Ok(())
    }

    async fn delete(&self, _: DeleteRequest<Store>, _: &mut DeleteResponse) -> Outcome {
        Ok(())
    }
}
