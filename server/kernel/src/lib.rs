//! What the product and the sandbox bank stand on, each by itself: time and randomness, keys, a database of either kind,
//! the accept loop, tasks in the background. It knows no word of either: no session, no account, no page.

pub mod background;
pub mod clock;
pub mod crypto;
pub mod db;
pub mod form;
pub mod gate;
pub mod json;
pub mod nul;
pub mod partial_file;
pub mod retention;
