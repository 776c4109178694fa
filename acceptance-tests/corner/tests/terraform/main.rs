//! The real terraform and the corner provider, started by it as always. `MANAGEDK8S_TERRAFORM` names another program
//! than `terraform`.

mod calls;
mod faults;
mod life;
mod workspace;
