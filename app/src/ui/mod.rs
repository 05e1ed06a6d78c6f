//! Blocks that know no product word: fields, tables, notices, code.

pub mod choice;
pub mod code;
pub mod feedback;
pub mod form;
pub mod icon;
pub mod markup;
pub mod number;
pub mod page;
pub mod search;
pub mod sequence;
pub mod table;
pub mod time;

pub use choice::{Choice, ChoiceGroup, Tick};
pub use code::{CodeBlock, Json, prose};
pub use feedback::{Chip, Empty, HttpStatus, Notice, Tone};
pub use form::{ErrorSummary, Field, FormField, PostButton, Select, TextArea};
pub use icon::Icon;
pub use markup::escaped;
pub use page::{PageHead, Tab, Tabs};
pub use search::{NoMatch, Search};
pub use table::{Facts, Table, TableColumn};
pub use time::{Ago, Stamp, Until};
