//! What a thread does before and after it computes with a tile.

use std::marker::PhantomData;

/// For registers that a thread has only where it asks for them.
#[derive(Clone, Copy)]
pub struct Around {
    pub before: fn(),
    pub after: fn(),
}

/// A thread that is ready to compute with a tile, for as long as this lives. A thread has one at a time.
pub struct Ready {
    around: Option<Around>,
    /// Another thread is not ready.
    _own: PhantomData<*const ()>,
}

impl Ready {
    pub fn new(around: Option<Around>) -> Ready {
        if let Some(around) = around {
            (around.before)();
        }
        Ready {
            around,
            _own: PhantomData,
        }
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        if let Some(around) = self.around {
            (around.after)();
        }
    }
}
