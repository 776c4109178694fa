//! An action that counts.

use framework::{
    Action, Attribute, Diagnostics, InvokeRequest, Outcome, Path, PlanActionRequest,
    PlanActionResponse, Progress, Schema, Value, async_trait, validators,
};

use crate::store::Store;

pub struct Count;

#[async_trait]
impl Action<Store> for Count {
    fn type_name(&self) -> &'static str {
        "corner_count"
    }

    fn schema(&self) -> Schema {
        Schema::new("Counts.").attribute(
            "to",
            Attribute::number(
                "Where it ends; at 7 it fails, at 8 it panics, at 9 its plan asks the store.",
            )
            .required()
            .validate(validators::int_between(1, 9)),
        )
    }

    async fn modify_plan(
        &self,
        request: PlanActionRequest<Store>,
        _: &mut PlanActionResponse,
    ) -> Outcome {
        let to: Value<i64> = request.config.get_at(&Path::of("to"))?;
        if to == Value::Known(9) {
            request.data.names()?;
        }
        Ok(())
    }

    async fn invoke(
        &self,
        request: InvokeRequest<Store>,
        progress: Progress,
        diagnostics: &mut Diagnostics,
    ) -> Outcome {
        let to: i64 = request.config.get_at(&Path::of("to"))?;
        for number in 1..=to {
            progress.report(number.to_string()).await;
        }
        diagnostics.warning("counted", "That is all.");
        match to {
            7 => Err(Diagnostics::one_error_at(
                Path::of("to"),
                "seven",
                "As asked.",
            )),
            8 => panic!("eight, as asked"),
            _ => Ok(()),
        }
    }
}
