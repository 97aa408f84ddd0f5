//! How much is done at one time: less after a host was overcharged, more again while all goes well.

use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::debug;

use crate::sync::lock;

/// A number of places that shrinks by half when the host complains and grows by one for each
/// round of exchanges that went well, as TCP does it with packets.
#[derive(Debug)]
pub(crate) struct Limit {
    /// What is limited, for the log.
    what: &'static str,
    most: usize,
    places: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    allowed: usize,
    /// Places that are taken and will not be given out again when they come back.
    owed: usize,
    /// Exchanges that went well since the number last changed.
    good: usize,
    /// How often the number shrank.
    shrunk: u64,
}

/// One of the places.
#[derive(Debug)]
pub(crate) struct Place {
    limit: Arc<Limit>,
    permit: Option<OwnedSemaphorePermit>,
    /// How often the number had shrunk when this place was given out.
    era: u64,
}

impl Limit {
    pub(crate) fn new(what: &'static str, most: usize) -> Arc<Self> {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        Arc::new(Self {
            what,
            most,
            places: Arc::new(Semaphore::new(most)),
            state: Mutex::new(State {
                allowed: most,
                owed: 0,
                good: 0,
                shrunk: 0,
            }),
        })
    }

    /// Waits for a place. They are given out in the order in which they were asked for.
    pub(crate) async fn place(self: &Arc<Self>) -> Place {
        let permit = self.places.clone().acquire_owned().await;
        Place {
            limit: self.clone(),
            permit: Some(permit.expect("this semaphore is never closed")),
            era: lock(&self.state).shrunk,
        }
    }
}

impl Place {
    /// Tells that the host is overcharged. What was begun before the last complaint says nothing new.
    pub(crate) fn complain(&self) {
        let mut state = lock(&self.limit.state);
        if self.era < state.shrunk || state.allowed == 1 {
            return;
        }
        let fewer = state.allowed / 2;
        let taken_back = self.limit.places.forget_permits(fewer);
        state.owed += fewer - taken_back;
        state.allowed -= fewer;
        state.shrunk += 1;
        state.good = 0;
        debug!(
            "{} at one time: {} from now on",
            self.limit.what, state.allowed
        );
    }

    /// Tells that an exchange went well.
    pub(crate) fn praise(&self) {
        let mut state = lock(&self.limit.state);
        if state.allowed == self.limit.most {
            return;
        }
        state.good += 1;
        if state.good < state.allowed {
            return;
        }
        state.good = 0;
        state.allowed += 1;
        if state.owed > 0 {
            state.owed -= 1;
        } else {
            self.limit.places.add_permits(1);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = lock(&self.limit.state);
        if state.owed > 0
            && let Some(permit) = self.permit.take()
        {
            state.owed -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use proptest::prelude::*;

    use super::*;

    fn try_place(limit: &Arc<Limit>) -> Option<Place> {
        limit.place().now_or_never()
    }

    /// Takes all there are.
    fn fill(limit: &Arc<Limit>) -> Vec<Place> {
        std::iter::from_fn(|| try_place(limit)).collect()
    }

    #[test]
    fn complaints_halve_and_praise_adds() {
        let limit = Limit::new("things", 8);
        let places = fill(&limit);
        assert_eq!(places.len(), 8);
        places[0].complain();
        places[1].complain();
        drop(places);
        let places = fill(&limit);
        assert_eq!(places.len(), 4, "both complained about the same");
        places[0].complain();
        drop(places);
        let place = fill(&limit).pop().unwrap();
        place.complain();
        place.complain();
        drop(place);
        let place = try_place(&limit).unwrap();
        assert!(try_place(&limit).is_none(), "one is always left");
        place.praise();
        assert_eq!(fill(&limit).len(), 1, "a second one beside it");
        (0..100).for_each(|_| place.praise());
        drop(place);
        assert_eq!(fill(&limit).len(), 8, "never more than at the beginning");
    }

    proptest! {
        #[test]
        fn no_place_is_lost_or_made(
            most in 1_usize..9,
            steps in prop::collection::vec((0_u8..4, any::<prop::sample::Index>()), 0..60),
        ) {
            let limit = Limit::new("things", most);
            let mut places: Vec<Place> = Vec::new();
            for (step, index) in steps {
                match step {
                    0 => places.extend(try_place(&limit)),
                    _ if places.is_empty() => {}
                    1 => drop(places.swap_remove(index.index(places.len()))),
                    2 => index.get(&places).complain(),
                    _ => index.get(&places).praise(),
                }
            }
            drop(places);
            let allowed = lock(&limit.state).allowed;
            prop_assert!((1..=most).contains(&allowed));
            prop_assert_eq!(fill(&limit).len(), allowed);
        }
    }
}
