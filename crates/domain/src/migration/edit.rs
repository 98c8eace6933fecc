//! Changes of the owner's text, which leave everything else in it as it is.

use jiff::civil::Date;
use toml_edit::Value;

use super::{
    AddedStep, OwnPlan, Plan, PlanField, PlannedStep, Setting, StepId,
    extensions::{Decision, decision_fields},
    setting::port,
    write,
};
use crate::document::{Document, Field, NotToml};

const ADDED: &str = "add";
const CHANGES: &str = "change";
const ORDER: &str = "order";
const EXTENSIONS: &str = "extension";

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanEdit {
    /// Leaves a step out, for this reason; `None` takes it in again.
    Skip(StepId, Option<String>),
    /// Assigns the day a step begins; `None` assigns none.
    Start(StepId, Option<Date>),
    /// Keeps a remark; `None` keeps none.
    Note(StepId, Option<String>),
    /// Puts a step before another of its phase; `None` puts it last.
    Move(StepId, Option<StepId>),
    /// Adds a step that a person attests.
    Add(Box<AddedStep>),
    /// Takes an added step out again, with what is said of it.
    Remove(StepId),
    /// Says values of `[target]` and `[iis]`, all of them or none.
    Set(Vec<Setting>),
    /// Decides what becomes of an extension of Forge; `None` takes the decision back.
    Decide(String, Option<Decision>),
}

/// Why a change was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanEditError {
    /// The text is not TOML.
    #[error("the plan cannot be edited: {0}")]
    NotToml(#[from] NotToml),
    /// The plan has no such step.
    #[error("the plan has no step `{0}`")]
    NoStep(StepId),
    /// The step is one of the built-in plan.
    #[error("`{0}` belongs to the plan and cannot be removed; skip it with a reason instead")]
    BuiltIn(StepId),
    /// Two steps that do not share a phase.
    #[error("`{0}` and `{1}` are not in one phase")]
    OtherPhase(StepId, StepId),
}

/// The text after a change of `plan`, which is what the text says; `None` is a file that does not exist
/// yet. Whether the result is in order is for [`OwnPlan::read`] to say.
pub fn edit(
    text: Option<&str>,
    plan: &OwnPlan,
    change: &PlanEdit,
) -> Result<String, PlanEditError> {
    let text = text.filter(|text| !text.trim().is_empty());
    let mut document = Document::read(text.unwrap_or(write::HEAD))?;
    match change {
        PlanEdit::Skip(step, why) => {
            say(&mut document, plan, step, "skip", text_of(why.as_deref()))?;
        }
        PlanEdit::Note(step, note) => {
            say(&mut document, plan, step, "note", text_of(note.as_deref()))?;
        }
        PlanEdit::Start(step, start) => {
            let start = start.map(write::date);
            say(&mut document, plan, step, "start", start)?;
        }
        PlanEdit::Move(step, before) => {
            let order = moved(plan, step, before.as_ref())?;
            document.set_root(ORDER, Some(write::names(&order)));
        }
        PlanEdit::Add(step) => {
            // Two of one name are for the reader to refuse.
            document.upsert(ADDED, "", &added_fields(step));
        }
        PlanEdit::Remove(step) => {
            if Plan::built_in().step(step).is_some() {
                return Err(PlanEditError::BuiltIn(step.clone()));
            }
            if !document.remove(ADDED, step.as_str()) {
                return Err(PlanEditError::NoStep(step.clone()));
            }
            document.remove(CHANGES, step.as_str());
            if plan.order.contains(step) {
                let left: Vec<StepId> = plan.order.iter().filter(|o| *o != step).cloned().collect();
                let left = (!left.is_empty()).then(|| write::names(&left));
                document.set_root(ORDER, left);
            }
        }
        PlanEdit::Set(settings) => {
            for Setting { field, value } in settings {
                let value = value.as_deref().map(|text| value_of(*field, text));
                document.set_section(field.section(), &[Field::new(field.key(), value)]);
            }
        }
        PlanEdit::Decide(extension, Some(decision)) => {
            document.upsert(EXTENSIONS, extension, &decision_fields(extension, decision));
        }
        PlanEdit::Decide(extension, None) => {
            document.remove(EXTENSIONS, extension);
        }
    }
    Ok(document.into_text())
}

/// The value as the file has it; a port that is none is for the reader to refuse.
fn value_of(field: PlanField, text: &str) -> Value {
    match port(text) {
        Some(port) if field == PlanField::Port => i64::from(port).into(),
        _ => text.into(),
    }
}

fn text_of(text: Option<&str>) -> Option<Value> {
    text.map(Value::from)
}

fn say(
    document: &mut Document,
    plan: &OwnPlan,
    step: &StepId,
    field: &'static str,
    value: Option<Value>,
) -> Result<(), PlanEditError> {
    find(&plan.steps(), step)?;
    if value.is_none() && !plan.changes.contains_key(step) {
        return Ok(());
    }
    let fields = [
        Field::new("id", Some(step.as_str().into())),
        Field::new(field, value),
    ];
    document.upsert(CHANGES, step.as_str(), &fields);
    Ok(())
}

fn find<'p>(steps: &'p [PlannedStep], id: &StepId) -> Result<&'p PlannedStep, PlanEditError> {
    let found = steps.iter().find(|planned| planned.step.id == *id);
    found.ok_or_else(|| PlanEditError::NoStep(id.clone()))
}

/// The whole phase in its new order, behind what is said of the order of others.
fn moved(
    plan: &OwnPlan,
    step: &StepId,
    before: Option<&StepId>,
) -> Result<Vec<StepId>, PlanEditError> {
    let steps = plan.steps();
    let phase = find(&steps, step)?.step.phase;
    let mut of_phase: Vec<&StepId> = steps
        .iter()
        .filter(|planned| planned.step.phase == phase)
        .map(|planned| &planned.step.id)
        .filter(|id| *id != step)
        .collect();
    let at = match before {
        None => of_phase.len(),
        // Before itself is where it is.
        Some(before) if before == step => return Ok(plan.order.clone()),
        Some(before) => {
            find(&steps, before)?;
            let at = of_phase.iter().position(|id| *id == before);
            at.ok_or_else(|| PlanEditError::OtherPhase(step.clone(), before.clone()))?
        }
    };
    of_phase.insert(at, step);
    let others = plan.order.iter().filter(|id| !of_phase.contains(id));
    Ok(others.chain(of_phase.iter().copied()).cloned().collect())
}

fn added_fields(step: &AddedStep) -> [Field; 9] {
    let days = [step.days.least, step.days.most].map(i64::from);
    let flag = |flag: bool| flag.then(|| Value::from(true));
    [
        Field::new("id", Some(step.id.as_str().into())),
        Field::new("phase", Some(step.phase.word().into())),
        Field::new("title", Some(step.title.as_str().into())),
        Field::new("why", Some(step.why.as_str().into())),
        Field::new("days", Some(Value::Array(days.into_iter().collect()))),
        Field::new(
            "needs",
            (!step.needs.is_empty()).then(|| write::names(&step.needs)),
        ),
        Field::new(
            "expires_after",
            step.expires_after.map(|days| i64::from(days).into()),
        ),
        Field::new("undoable", flag(step.undoable)),
        Field::new("risky", flag(step.risky)),
    ]
}
