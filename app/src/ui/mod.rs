//! Blocks that know no product word: fields, tables, notices, code.
