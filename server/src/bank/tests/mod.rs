//! The bank through its real listener, with a plain HTTP client.

mod books;
mod gate;
mod payments;
mod products;
mod walk;
mod world;
