//! The windowed, keyed aggregate.
