//! Secrets without Debug, their derivation from one key, and the registry that scrubs them.
