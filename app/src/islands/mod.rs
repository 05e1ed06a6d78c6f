//! The few widgets that need code in the browser. Everything works without them; they only make it quicker.

mod copy;
mod download;
mod password;
mod tail;

pub use copy::CopyButton;
pub use download::DownloadButton;
pub use password::ShowPassword;
pub use tail::LiveTail;
