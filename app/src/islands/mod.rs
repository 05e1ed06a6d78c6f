//! The few widgets that need code in the browser. Everything works without them; they only make it quicker.

mod again;
mod copy;
mod password;
mod tail;

pub use again::PressLater;
pub use copy::CopyButton;
pub use password::ShowPassword;
pub use tail::LiveTail;
