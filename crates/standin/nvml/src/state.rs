//! Which script is in force, and which handles were given out.

mod place;
mod source;

use std::{
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use nvml_wrapper_sys::bindings::nvmlDevice_t;

use self::source::Source;
use crate::{
    codes::NvmlCode,
    script::{Card, Script},
};

static WORLD: Mutex<World> = Mutex::new(World {
    opened: 0,
    source: None,
    handles: Vec::new(),
});

/// Handles are numbers in the shape of pointers, this far apart.
const STEP: usize = 16;

struct World {
    /// Initialisations without their shutdown.
    opened: u32,
    source: Option<Source>,
    /// Given out, never taken back.
    handles: Vec<Handle>,
}

/// The card that a handle means.
#[derive(PartialEq)]
struct Handle {
    /// As told when the handle was given out.
    uuid: Option<String>,
    /// Place in the script's list.
    place: usize,
}

impl Handle {
    fn to(place: usize, card: &Card) -> Self {
        Self {
            uuid: card.uuid.get().ok().cloned(),
            place,
        }
    }

    /// Where the card is now. A card without a known UUID is known by its place alone.
    fn find(&self, cards: &[Card]) -> Option<usize> {
        let same = |card: &Card| match (card.uuid.get(), &self.uuid) {
            (Ok(now), Some(then)) => now == then,
            _ => false,
        };
        let here = cards.get(self.place);
        if here.is_some_and(|card| self.uuid.is_none() || card.uuid.get().is_err() || same(card)) {
            return Some(self.place);
        }
        cards.iter().position(same)
    }
}

/// A card in the script of this moment.
pub(crate) struct CardNow {
    script: Arc<Script>,
    place: usize,
}

impl Deref for CardNow {
    type Target = Card;

    fn deref(&self) -> &Card {
        &self.script.cards[self.place]
    }
}

fn with<T>(act: impl FnOnce(&mut World) -> T) -> T {
    act(&mut WORLD.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Begins a session: `nvmlInit_v2`. Where the script lies is decided here.
pub(crate) fn open() -> Result<(), NvmlCode> {
    with(|world| {
        let path = place::script();
        let known = world.source.take().filter(|source| source.is_at(&path));
        let source = world.source.insert(known.unwrap_or(Source::new(path)));
        let script = source.look()?;
        if let Some(code) = script.init_error {
            return Err(code);
        }
        world.opened = world.opened.saturating_add(1);
        Ok(())
    })
}

/// Ends a session: `nvmlShutdown`. It needs no script.
pub(crate) fn close() -> Result<(), NvmlCode> {
    with(|world| {
        world.opened = world.opened.checked_sub(1).ok_or(NvmlCode::Uninitialized)?;
        Ok(())
    })
}

impl World {
    fn source(&mut self) -> Result<&mut Source, NvmlCode> {
        if self.opened == 0 {
            return Err(NvmlCode::Uninitialized);
        }
        self.source.as_mut().ok_or(NvmlCode::Uninitialized)
    }
}

/// The script as last looked at.
pub(crate) fn script() -> Result<Arc<Script>, NvmlCode> {
    with(|world| world.source()?.last())
}

/// The number of cards: `nvmlDeviceGetCount_v2`.
pub(crate) fn count() -> Result<u32, NvmlCode> {
    let script = with(|world| world.source()?.look())?;
    if let Some(code) = script.count_error {
        return Err(code);
    }
    let there = script.cards.iter().filter(|card| !card.gone).count();
    u32::try_from(there).map_err(|_| NvmlCode::Unknown)
}

/// The handle of the card with that index: `nvmlDeviceGetHandleByIndex_v2`.
pub(crate) fn by_index(index: u32) -> Result<nvmlDevice_t, NvmlCode> {
    let index = usize::try_from(index).map_err(|_| NvmlCode::InvalidArgument)?;
    handle(NvmlCode::InvalidArgument, |cards| {
        let mut there = cards.iter().enumerate().filter(|(_, card)| !card.gone);
        there.nth(index).map(|(place, _)| place)
    })
}

/// The handle of the card with that UUID: `nvmlDeviceGetHandleByUUID`.
pub(crate) fn by_uuid(uuid: &str) -> Result<nvmlDevice_t, NvmlCode> {
    handle(NvmlCode::NotFound, |cards| {
        cards
            .iter()
            .position(|card| !card.gone && card.uuid.get().is_ok_and(|own| own == uuid))
    })
}

fn handle(
    none: NvmlCode,
    find: impl FnOnce(&[Card]) -> Option<usize>,
) -> Result<nvmlDevice_t, NvmlCode> {
    let script = with(|world| world.source()?.look())?;
    spend(&script);
    let place = find(&script.cards).ok_or(none)?;
    let card = &script.cards[place];
    if card.lost {
        return Err(NvmlCode::GpuIsLost);
    }
    if let Some(code) = card.handle_error {
        return Err(code);
    }
    let handle = Handle::to(place, card);
    let number = with(|world| {
        let known = world.handles.iter().position(|other| *other == handle);
        known.unwrap_or_else(|| {
            world.handles.push(handle);
            world.handles.len() - 1
        })
    });
    Ok(std::ptr::without_provenance_mut((number + 1) * STEP))
}

/// The card that `device` means, after the time that a driver takes.
pub(crate) fn card(device: nvmlDevice_t) -> Result<CardNow, NvmlCode> {
    let (script, place) = with(|world| {
        let script = world.source()?.last()?;
        let number = (device.addr() / STEP)
            .checked_sub(1)
            .filter(|_| device.addr().is_multiple_of(STEP));
        let handle = number
            .and_then(|number| world.handles.get(number))
            .ok_or(NvmlCode::InvalidArgument)?;
        let place = handle.find(&script.cards);
        Ok((script, place))
    })?;
    spend(&script);
    let place = place.ok_or(NvmlCode::GpuIsLost)?;
    let card = CardNow { script, place };
    if card.lost || card.gone {
        return Err(NvmlCode::GpuIsLost);
    }
    Ok(card)
}

/// Takes the time that the script says. Never under the lock.
fn spend(script: &Script) {
    if script.hang_ms > 0 {
        thread::sleep(Duration::from_millis(script.hang_ms));
    }
    if script.call_us > 0 {
        let begun = Instant::now();
        let busy = Duration::from_micros(script.call_us);
        while begun.elapsed() < busy {
            std::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_follows_its_card() {
        let cards = Script::founding().cards;
        let second = Handle::to(1, &cards[1]);
        assert_eq!(second.find(&cards), Some(1));
        let swapped = [cards[1].clone(), cards[0].clone()];
        assert_eq!(second.find(&swapped), Some(0));
        assert_eq!(second.find(&cards[..1]), None);
        let mut mute = cards.clone();
        mute[1].uuid = NvmlCode::Unknown.into();
        assert_eq!(second.find(&mute), Some(1));
        let mut twins = cards.clone();
        twins[0].uuid = twins[1].uuid.clone();
        assert_eq!(second.find(&twins), Some(1), "its own place comes first");
    }
}
