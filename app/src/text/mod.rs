//! The guides, written in Markdown and rendered once at start.
