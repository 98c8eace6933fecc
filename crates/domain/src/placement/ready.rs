//! When a placement proof may begin: it makes a picture, and must not cost anybody theirs.

use crate::{facts::Activity, gpu::GpuCard, ids::GpuUuid, outcome::Status};

/// A service that holds a model takes this much more for a small picture (1 GiB).
const FREE_WITH_MODEL: u64 = 1 << 30;
/// One that holds none has to load it first (4 GiB: the smallest usual model and its work).
const FREE_WITHOUT_MODEL: u64 = 4 << 30;
/// From this on a service is taken to hold a model.
const HOLDS_MODEL: u64 = 1 << 30;

/// Why a proof is not begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotReady {
    /// The service is at work, for somebody else perhaps.
    Busy,
    /// It could not be seen whether it is.
    ActivityUnknown,
    /// No card is read now.
    NoCards,
    /// A card is lost: that nothing moved would prove nothing.
    CardLost,
    /// Too little memory is free.
    MemoryLow {
        /// The card.
        card: GpuUuid,
        /// Bytes free.
        free: u64,
        /// Bytes needed.
        needed: u64,
    },
}

/// Whether a proof may begin. `card` is the one that the service is taken to compute on, `None`
/// when that is not known: then every card needs the room. `held` is what the service says it holds.
pub fn ready(
    activity: &Activity,
    cards: &[GpuCard],
    card: Option<&GpuUuid>,
    held: Option<u64>,
) -> Result<(), NotReady> {
    match activity {
        Activity::Idle => {}
        Activity::Busy(_) => return Err(NotReady::Busy),
        Activity::Unknown => return Err(NotReady::ActivityUnknown),
    }
    if cards
        .iter()
        .any(|card| card.outcome.status == Status::Failing)
    {
        return Err(NotReady::CardLost);
    }
    let is_asked = |known: &&GpuCard| card.is_none_or(|card| known.latest.uuid == *card);
    let mut asked = cards.iter().filter(is_asked).peekable();
    if asked.peek().is_none() || cards.iter().filter(is_asked).any(|card| !card.current) {
        return Err(NotReady::NoCards);
    }
    let needed = if held.is_some_and(|held| held >= HOLDS_MODEL) {
        FREE_WITH_MODEL
    } else {
        FREE_WITHOUT_MODEL
    };
    for known in asked {
        let sample = &known.latest;
        // What the driver does not tell is no reason: the service has its own guard.
        if let Some(free) = sample.free().filter(|free| *free < needed) {
            return Err(NotReady::MemoryLow {
                card: sample.uuid.clone(),
                free,
                needed,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Timestamp, cause::Cause, facts::Busy, gpu::GpuSample, outcome::Outcome};

    const GIB: u64 = 1 << 30;

    fn card(name: &str, free: Option<u64>, outcome: Outcome) -> GpuCard {
        let uuid = GpuUuid::new(name).expect("an id");
        GpuCard {
            latest: GpuSample {
                memory_free: free,
                ..GpuSample::unread(uuid, 0, "X", Timestamp::UNIX_EPOCH)
            },
            load_history: Vec::new(),
            current: true,
            outcome,
            remarks: Vec::new(),
            shares: None,
        }
    }

    #[test]
    fn a_proof_begins_only_where_it_costs_nobody_anything() {
        let well = || Outcome::ok(Timestamp::UNIX_EPOCH);
        let cards = [
            card("GPU-a", Some(2 * GIB), well()),
            card("GPU-b", Some(20 * GIB), well()),
        ];
        let a = GpuUuid::new("GPU-a").expect("an id");
        let b = GpuUuid::new("GPU-b").expect("an id");
        let idle = Activity::Idle;
        let busy = Activity::Busy(Busy {
            percent: None,
            loading_model: false,
            eta_s: None,
        });
        assert_eq!(ready(&idle, &cards, Some(&b), None), Ok(()));
        assert_eq!(ready(&idle, &cards, Some(&a), Some(6 * GIB)), Ok(()));
        let low = Err(NotReady::MemoryLow {
            card: a.clone(),
            free: 2 * GIB,
            needed: 4 * GIB,
        });
        assert_eq!(
            ready(&idle, &cards, Some(&a), None),
            low,
            "it has to load a model"
        );
        assert_eq!(
            ready(&idle, &cards, None, Some(0)),
            low,
            "any card may be the one"
        );
        assert_eq!(ready(&busy, &cards, Some(&b), None), Err(NotReady::Busy));
        let unknown = Activity::Unknown;
        assert_eq!(
            ready(&unknown, &cards, None, None),
            Err(NotReady::ActivityUnknown)
        );
        assert_eq!(ready(&idle, &[], None, None), Err(NotReady::NoCards));
        let mut old = cards.clone();
        for card in &mut old {
            card.current = false;
        }
        assert_eq!(ready(&idle, &old, None, None), Err(NotReady::NoCards));
        let lost = Outcome::failing(Cause::GpuLost, Timestamp::UNIX_EPOCH);
        let one_lost = [cards[1].clone(), card("GPU-a", None, lost)];
        assert_eq!(
            ready(&idle, &one_lost, Some(&b), None),
            Err(NotReady::CardLost)
        );
        let silent = [card("GPU-a", None, well())];
        assert_eq!(
            ready(&idle, &silent, None, None),
            Ok(()),
            "not told is no reason"
        );
    }
}
