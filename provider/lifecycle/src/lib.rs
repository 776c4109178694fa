//! Desired and observed state, pure planners and guards, executors over the clients.
