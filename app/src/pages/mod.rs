//! One file a screen, read top to bottom: what it does with a submitted form, what it loads, what it shows.
//!
//! A screen is an async function from a [`Visit`] to an [`Answer`]: it asks the portal, then says what to show. All
//! waiting happens before rendering, so a page is rendered in one go, works without JavaScript, and can answer with
//! the status that is true. Forms post to the URL of their own screen: a refused form is shown again as it was typed.

mod admin;
mod answer;
mod card;
mod changelog;
mod components;
mod console;
mod discovery;
mod docs;
pub mod error_page;
mod first_call;
pub mod form;
mod landing;
mod overview;
mod password;
pub mod prove;
mod request;
mod request_filter;
mod requests;
mod samples;
mod screens;
mod settings;
pub mod shell;
mod sign_in;
mod sign_up;
mod signing;
mod skills;
mod start;
mod tenant;
mod tenant_keys;
mod tenant_new;
mod tenant_settings;
mod tenant_skills;
mod tenant_terms;
mod tenants;
mod theme;
mod verifications;
mod verify;
mod visit;

pub use answer::{Answer, Frame, Page, ScreenResult};
pub use screens::{Handler, SCREENS, Screen, ScreenAccess};
pub use visit::{Assets, FormFields, FormFile, Site, Visit};
