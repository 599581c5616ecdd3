//! Oracle tests.
