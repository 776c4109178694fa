//! Charts and releases as helm 4.3 treats them, natively.
