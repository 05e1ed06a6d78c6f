//! Shapes that leave the building: one struct a thing, its doc comments are the reference.

pub mod catalog;
