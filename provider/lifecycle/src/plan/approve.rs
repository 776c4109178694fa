//! Whether a step may run under what was approved (design law 1).

use super::{NodeSet, PlanSummary, Step};

/// A step is more disruptive than what was planned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{step} would disturb more than the plan showed: {excess}")]
pub struct Refused {
    /// The step.
    pub step: String,
    /// What exceeds the approval.
    pub excess: String,
}

/// Allows a step that disturbs nobody, or one whose kind, nodes and number at once were approved.
///
/// `running` are the nodes disturbed at this moment by other steps of the same run.
pub fn approve(approved: &PlanSummary, step: &Step, running: &NodeSet) -> Result<(), Refused> {
    if step.disrupts.is_empty() {
        return Ok(());
    }
    let refuse = |excess: String| {
        Err(Refused {
            step: step.to_string(),
            excess,
        })
    };
    let Some(line) = approved.steps.iter().find(|line| line.kind == step.kind) else {
        return refuse(format!(
            "the plan has no step that disturbs {}",
            step.disrupts
        ));
    };
    if !line.disrupts.covers(&step.disrupts) {
        return refuse(format!(
            "the plan disturbs {}, not {}",
            line.disrupts, step.disrupts
        ));
    }
    let mut at_once = running.clone();
    at_once.extend(&step.disrupts);
    if at_once.len() > usize::from(line.at_once) {
        return refuse(format!(
            "{} at once, the plan says {}",
            at_once.len(),
            line.at_once
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use product::NodeKey;

    use super::super::{Object, Plan, StepKind};
    use super::*;

    fn removal(index: u16) -> Step {
        Step::disruptive(StepKind::RemoveWorker, NodeKey::worker(index), "surplus")
    }

    #[test]
    fn only_what_was_shown_may_disturb() {
        let approved = Plan::ordered(vec![removal(3), removal(4)]).summary();
        let nobody = NodeSet::new();
        assert_eq!(approve(&approved, &removal(3), &nobody), Ok(()));
        assert!(
            approve(&approved, &removal(5), &nobody).is_err(),
            "another node"
        );
        assert!(
            approve(&approved, &removal(3), &NodeSet::one(NodeKey::worker(4))).is_err(),
            "two at once"
        );
        assert!(
            approve(&PlanSummary::default(), &removal(3), &nobody).is_err(),
            "another kind"
        );
        let calm = Step::calm(
            StepKind::LabelNode,
            Object::Machine(NodeKey::worker(1)),
            "label",
        );
        assert_eq!(approve(&PlanSummary::default(), &calm, &nobody), Ok(()));
    }

    #[test]
    fn the_summary_survives_state() {
        let summary = Plan::ordered(vec![removal(3), removal(4)]).summary();
        let text = summary.to_json();
        assert_eq!(
            text,
            r#"{"steps":[{"kind":"remove_worker","count":2,"disrupts":"wrk 3-4","at_once":1}],"nodes_disrupted":2,"minutes":10}"#
        );
        assert_eq!(PlanSummary::from_json(&text), Some(summary));
    }
}
