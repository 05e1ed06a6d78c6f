//! The one integration test binary: linking is slow, so there is one.

mod rooms;
