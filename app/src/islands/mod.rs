//! The few widgets that need code in the browser. Everything works without them; they only make it quicker.

mod copy;
mod leave;
mod password;
mod tail;
mod wait;

/// Every island, as its component is named. The page's script wakes no other element: the name of an island that was
/// written into a page from outside must not be the name of something else that the module exports.
pub const NAMES: &[&str] = &[
    "AwaitWord",
    "CopyButton",
    "LeaveGuard",
    "LiveTail",
    "ShowPassword",
];

pub use copy::CopyButton;
pub use leave::LeaveGuard;
pub use password::ShowPassword;
pub use tail::LiveTail;
pub use wait::AwaitWord;
